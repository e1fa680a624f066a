--- Ghost text by Neovim's own vim.lsp.inline_completion, with what it lacks for a server that
--- answers at every key: it asks at once and not after 200 ms, ends the question that a newer one
--- replaces, and neither shows nor accepts text that no longer fits the line. Where Neovim has none
--- (0.11), completor.lua takes its place.
---
--- The wrapper around client:request uses documented interfaces. The rest reaches into the module's
--- Completor class, found by `class`; where a later Neovim has moved it, ghost text still comes, in
--- Neovim's own way.
local M = {}
local api = vim.api
local METHOD = 'textDocument/inlineCompletion'
local popup = require('keyside.popup')
local switch = require('keyside.switch')
local theirs = api.nvim_create_namespace('nvim.lsp.inline_completion')
local namespace = api.nvim_create_namespace('keyside')
--- Why the server is asked, as the protocol counts it.
local INVOKED, AUTOMATIC = 1, 2

--- What the newest answer was for, by buffer.
---@type table<integer, {tick: integer, col: integer, right: string}>
local answered = {}

--- The class that draws, one object a buffer; nil where it is not as this file knows it.
local function class()
  if not vim.lsp.inline_completion then
    return require('keyside.completor')
  end
  local ok, found = pcall(function()
    require('vim.lsp.inline_completion')
    local it = require('vim.lsp._capability').all.inline_completion
    for _, method in ipairs({ 'automatic_request', 'request', 'show', 'hide', 'abort', 'select', 'handler' }) do
      assert(type(it[method]) == 'function')
    end
    assert(type(vim.range.to_extmark) == 'function')
    return it.active and it
  end)
  return ok and found or nil
end

local function completor(bufnr)
  local found = class()
  return found and found.active[bufnr] or nil
end

---@param client_id integer
local function is_ours(client_id)
  local client = vim.lsp.get_client_by_id(client_id)
  return client ~= nil and client.name == 'keyside'
end

--- What the current item would put in at the caret, and the text right of the caret that it would
--- replace; nil when what was typed since leads elsewhere. Reads the current window, which must
--- show the completor's buffer. Fails for an item that is not a text with a range.
---@return string? text, string? over
local function rest(self)
  local item, from = self.current, answered[self.bufnr]
  if not item or not from then
    return nil
  end
  assert(type(item.insert_text) == 'string')
  local row, col, end_row, end_col = item.range:to_extmark()
  local caret = api.nvim_win_get_cursor(0)
  local line = api.nvim_get_current_line()
  local typed, right = line:sub(col + 1, caret[2]), line:sub(caret[2] + 1)
  if
    caret[1] ~= row + 1
    or row ~= end_row
    or caret[2] < col
    or end_col < from.col
    or right ~= from.right
    or not vim.startswith(item.insert_text, typed)
  then
    return nil
  end
  local text, over = item.insert_text:sub(#typed + 1), right:sub(1, end_col - from.col)
  if text ~= over then
    return text, over
  end
end

--- Tells the server what became of an item: `didShow`, `didPartiallyAccept` or `didReject`.
---@param event string
---@param more? table
local function report(item, event, more)
  local client = vim.lsp.get_client_by_id(item.client_id)
  local numbers = item.command and item.command.arguments or {}
  if client and type(numbers[1]) == 'number' then
    local params = { id = numbers[1], index = numbers[2] or 0 }
    client:notify('keyside/' .. event, vim.tbl_extend('force', params, more or {}))
  end
end

--- Draws where the text would go. Neovim's own `show` skips what the ghost has in common with the
--- code right of the caret, and lays the ghost over that code.
local function draw(self, hint)
  self:hide()
  local text, over = rest(self)
  if not text or popup.is_plugins() then
    return
  end
  local pos = 'inline'
  if over ~= '' then
    if vim.endswith(text, over) and not text:find('\n') then
      text = text:sub(1, #text - #over)
    else
      pos = 'overlay'
    end
  end
  local lines = {}
  for _, line in ipairs(vim.split(text, '\n', { plain = true })) do
    lines[#lines + 1] = { { line, 'KeysideGhost' } }
  end
  if hint then
    table.insert(lines[#lines], { hint, 'ComplHintMore' })
  end
  local row, col = unpack(api.nvim_win_get_cursor(0))
  -- In the caret's window alone, of all that show this buffer.
  if api.nvim__ns_set then
    pcall(api.nvim__ns_set, namespace, { wins = { api.nvim_get_current_win() } })
  end
  api.nvim_buf_set_extmark(self.bufnr, namespace, row - 1, col, {
    virt_text = lines[1],
    virt_lines = #lines > 1 and vim.list_slice(lines, 2) or nil,
    virt_text_pos = pos,
    hl_mode = 'combine',
  })
  self.keyside_is_drawn = true
  if not self.current.keyside_shown then
    self.current.keyside_shown = true
    report(self.current, 'didShow')
  end
end

--- Whether all of the current item was typed by hand, so that it was right.
local function is_typed_out(self)
  local row, col = self.current.range:to_extmark()
  local caret = api.nvim_win_get_cursor(0)
  local typed = api.nvim_get_current_line():sub(col + 1, caret[2])
  return caret[1] == row + 1 and vim.startswith(typed, self.current.insert_text)
end

local function ask_at_once(self)
  self.keyside_step = nil
  if switch.why_off(self.bufnr) then
    self:abort()
    return
  end
  if self.current and not rest(self) then
    if is_typed_out(self) then
      self.current.keyside_settled = true
    end
    self:abort()
  else
    self:show()
  end
  self.keyside_tick = api.nvim_buf_get_changedtick(self.bufnr)
  self:request(AUTOMATIC)
end

local function patch()
  local Completor = class()
  if not Completor or Completor.keyside then
    return
  end
  Completor.keyside = true
  local automatic_request, show, hide, abort, handler =
    Completor.automatic_request, Completor.show, Completor.hide, Completor.abort, Completor.handler

  Completor.automatic_request = function(self)
    -- Another server in this buffer may be a paid one, which counts on the debounce.
    local only_ours = vim.iter(pairs(self.client_state)):all(is_ours)
    if not only_ours or not pcall(ask_at_once, self) then
      automatic_request(self)
    end
  end

  Completor.show = function(self, hint)
    local ours = self.current and is_ours(self.current.client_id)
    local here = api.nvim_get_current_buf() == self.bufnr
    if not ours or not here or not pcall(draw, self, hint) then
      show(self, hint)
    end
  end

  Completor.hide = function(self)
    hide(self)
    self.keyside_is_drawn = false
    if api.nvim_buf_is_valid(self.bufnr) then
      api.nvim_buf_clear_namespace(self.bufnr, namespace, 0, -1)
    end
  end

  -- The last server of the buffer has ended; what Neovim clears is its own.
  local destroy = Completor.destroy
  Completor.destroy = destroy and function(self)
    pcall(self.hide, self)
    destroy(self)
  end

  Completor.handler = function(self, err, result, ctx)
    handler(self, err, result, ctx)
    local step = self.keyside_step
    if step and is_ours(ctx.client_id) then
      self.keyside_step = nil
      local n = self:count_items()
      if n == 0 then
        api.nvim_echo({ { 'keyside: nothing to suggest here' } }, false, {})
      elseif n > 1 then
        self:select(step % n + 1, true)
      end
    end
  end

  -- Neovim aborts when insert mode ends, and this file where other text was typed.
  Completor.abort = function(self)
    local item = self.current
    abort(self)
    if item and item.keyside_shown and not item.keyside_settled then
      report(item, 'didReject')
    end
  end
end

--- Makes the client end the question that a newer one replaces, and drop an answer to a text or
--- caret that is gone.
local function wrap(client)
  local send = client.request
  client.request = function(self, method, params, handler, bufnr)
    if method ~= METHOD or not handler then
      return send(self, method, params, handler, bufnr)
    end
    local buf = (bufnr or 0) == 0 and api.nvim_get_current_buf() or bufnr
    local is_automatic = params.context and params.context.triggerKind ~= INVOKED
    if is_automatic and switch.why_off(buf) then
      return false
    end
    for id, request in pairs(self.requests) do
      if request.type == 'pending' and request.method == METHOD and request.bufnr == buf then
        self:cancel_request(id)
      end
    end
    local tick, caret = api.nvim_buf_get_changedtick(buf), api.nvim_win_get_cursor(0)
    return send(self, method, params, function(err, result, ctx)
      if
        api.nvim_get_current_buf() ~= buf
        or api.nvim_buf_get_changedtick(buf) ~= tick
        or not vim.deep_equal(api.nvim_win_get_cursor(0), caret)
      then
        return
      end
      if not err then
        local right = api.nvim_get_current_line():sub(caret[2] + 1)
        answered[buf] = { tick = tick, col = caret[2], right = right }
        -- Neovim takes "no answer" for "leave the old one up".
        result = result or { items = {} }
      end
      handler(err, result, ctx)
    end, bufnr)
  end
end

--- Whether each key asks, which it does where this Neovim is as this file knows it.
---@return boolean
function M.at_once()
  return class() ~= nil
end

--- Called for each buffer that our client attaches to.
---@param client vim.lsp.Client
---@param bufnr integer
function M.attach(client, bufnr)
  if not client:supports_method(METHOD, bufnr) then
    return
  end
  if not client.keyside then
    client.keyside = true
    wrap(client)
  end
  patch()
  if vim.lsp.inline_completion then
    vim.lsp.inline_completion.enable(true, { bufnr = bufnr })
  else
    class().attach(client.id, bufnr)
  end

  local group = api.nvim_create_augroup('keyside:' .. bufnr, {})
  -- Neovim asks when the caret moves; <Del>, or an edit by another program, changes the line and
  -- leaves the caret.
  api.nvim_create_autocmd('TextChangedI', {
    group = group,
    buffer = bufnr,
    callback = function()
      local self = completor(bufnr)
      local asked = self and self.keyside_tick
      if asked and asked ~= api.nvim_buf_get_changedtick(bufnr) then
        self:automatic_request()
      end
    end,
  })
  -- One can leave a buffer and stay in insert mode: with the mouse, for one.
  api.nvim_create_autocmd('BufLeave', {
    group = group,
    buffer = bufnr,
    callback = function()
      local self = completor(bufnr)
      if self then
        self:abort()
      end
    end,
  })
end

---@return boolean
function M.visible()
  local bufnr = api.nvim_get_current_buf()
  if not class() then
    return #api.nvim_buf_get_extmarks(bufnr, theirs, 0, -1, { limit = 1 }) > 0
  end
  return M.current() ~= nil
end

--- What is on the screen and fits the line as it is now.
---@return table? completor
---@return string? text that would go in at the caret
---@return string? over the text right of the caret that it would replace
function M.current()
  local self = completor(api.nvim_get_current_buf())
  local ok, text, over = pcall(rest, self or {})
  if self and ok and text and self.keyside_is_drawn then
    return self, text, over
  end
end

--- What the newest answer in a buffer was for.
function M.answered(bufnr)
  return answered[bufnr]
end

--- Takes the ghost away until something is typed.
---@return boolean dismissed
function M.dismiss()
  local is_visible, self = M.visible(), completor(api.nvim_get_current_buf())
  if self then
    self:abort()
  end
  return is_visible
end

--- Asks at the caret, as a person does: for several suggestions, and also where none comes by
--- itself. Shows the one that is `step` further than the first.
---@param step? integer
function M.ask(step)
  local self = completor(api.nvim_get_current_buf())
  if self then
    self.keyside_step = step or 0
    self:request(INVOKED)
  end
end

--- Shows another suggestion; asks for them where there is one alone.
---@param step 1|-1
function M.select(step)
  local self = completor(api.nvim_get_current_buf())
  if not self or not self.current or self:count_items() < 2 then
    return M.ask(step)
  end
  self:select((self.current._index - 1 + step) % self:count_items() + 1, true)
end

M.report = report

--- Draws anew, or takes away, where something else than the text has changed.
local function look_again()
  local self = completor(api.nvim_get_current_buf())
  if not self or not vim.startswith(api.nvim_get_mode().mode, 'i') then
    return
  elseif switch.why_off(self.bufnr) then
    self:abort()
  elseif self.current then
    self:show()
  else
    self:automatic_request()
  end
end
popup.watch(look_again)
switch.on_change(look_again)

return M

