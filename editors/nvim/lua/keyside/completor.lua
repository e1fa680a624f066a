--- Suggestions of a buffer where Neovim has no inline completion of its own (0.11): as much of the
--- class behind vim.lsp.inline_completion as ghost.lua works with, which draws, accepts and reports.
local api = vim.api
local METHOD = 'textDocument/inlineCompletion'
local AUTOMATIC = 2

---@class keyside.Completor
---@field active table<integer, keyside.Completor> by buffer
---@field bufnr integer
---@field client_state table<integer, {items: table[]}> by client id
---@field current? table the item on show
local Completor = { active = {} }
Completor.__index = Completor

--- A range of the protocol in bytes, as the buffer is now; nil where it is out of the buffer.
---@param bufnr integer
---@param range lsp.Range
---@param encoding 'utf-8'|'utf-16'|'utf-32'
local function in_bytes(bufnr, range, encoding)
  local bounds = {}
  for _, position in ipairs({ range.start, range['end'] }) do
    local line = api.nvim_buf_get_lines(bufnr, position.line, position.line + 1, false)[1]
    if not line then
      return nil
    end
    local byte = vim.str_byteindex(line, encoding, position.character, false)
    vim.list_extend(bounds, { position.line, byte })
  end
  return {
    to_extmark = function()
      return unpack(bounds)
    end,
  }
end

---@param client_id integer
---@param bufnr integer
function Completor.attach(client_id, bufnr)
  local self = Completor.active[bufnr]
  if self then
    self.client_state[client_id] = self.client_state[client_id] or {}
    return
  end
  self = setmetatable({ bufnr = bufnr, client_state = { [client_id] = {} } }, Completor)
  Completor.active[bufnr] = self
  local group = api.nvim_create_augroup('keyside:completor:' .. bufnr, {})
  local function on(events, run)
    api.nvim_create_autocmd(events, { group = group, buffer = bufnr, callback = run })
  end
  on({ 'InsertEnter', 'CursorMovedI', 'TextChangedP' }, function()
    self:automatic_request()
  end)
  on('InsertLeave', function()
    self:abort()
  end)
  on('LspDetach', function(ev)
    self.client_state[ev.data.client_id] = nil
    if not next(self.client_state) then
      self:hide()
      Completor.active[bufnr] = nil
      api.nvim_del_augroup_by_id(group)
    end
  end)
end

---@param kind 1|2 asked for, or by itself
function Completor:request(kind)
  for client_id in pairs(self.client_state) do
    local client = vim.lsp.get_client_by_id(client_id)
    if client then
      client:request(METHOD, {
        textDocument = vim.lsp.util.make_text_document_params(self.bufnr),
        position = vim.lsp.util.make_position_params(0, client.offset_encoding).position,
        context = { triggerKind = kind },
      }, function(...)
        self:handler(...)
      end, self.bufnr)
    end
  end
end

function Completor:automatic_request()
  self:request(AUTOMATIC)
end

---@param err? lsp.ResponseError
---@param result? table items, or a list of them
---@param ctx lsp.HandlerContext
function Completor:handler(err, result, ctx)
  local state = self.client_state[ctx.client_id]
  if err or not result or not state or not vim.startswith(api.nvim_get_mode().mode, 'i') then
    return
  end
  state.items = result.items or result
  self:select(1)
end

---@return integer
function Completor:count_items()
  local n = 0
  for _, state in pairs(self.client_state) do
    n = n + #(state.items or {})
  end
  return n
end

---@param index integer among the items of all clients
---@param shows_index? boolean
function Completor:select(index, shows_index)
  self.current = nil
  local before = 0
  for client_id, state in vim.spairs(self.client_state) do
    local item = (state.items or {})[index - before]
    local client = vim.lsp.get_client_by_id(client_id)
    if item and client then
      self.current = {
        _index = index,
        client_id = client_id,
        insert_text = item.insertText,
        range = item.range and in_bytes(self.bufnr, item.range, client.offset_encoding),
        command = item.command,
      }
      break
    end
    before = before + #(state.items or {})
  end
  self:show(shows_index and (' (%d/%d)'):format(index, self:count_items()) or nil)
end

--- Nothing of its own is drawn: ghost.lua has the drawing, and a text that it can't draw is none.
---@param _hint? string
function Completor:show(_hint)
  self:hide()
end

function Completor:hide() end

--- Ends what was asked, and takes away what is on show.
function Completor:abort()
  for client_id in pairs(self.client_state) do
    local client = vim.lsp.get_client_by_id(client_id)
    for id, request in pairs(client and client.requests or {}) do
      if request.type == 'pending' and request.method == METHOD and request.bufnr == self.bufnr then
        client:cancel_request(id)
      end
    end
  end
  self:hide()
  self.current = nil
end

return Completor
