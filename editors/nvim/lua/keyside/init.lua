--- What the rest of a configuration may call: status, accept, and the :Keyside command.
local M = {}

---@alias keyside.State {state: string, message: string}
local states = {} ---@type table<integer, keyside.State> by client id
local off = {} ---@type table<integer, table<string, keyside.State>> by client id and URI

---@param bufnr? integer
local function clients(bufnr)
  return vim.lsp.get_clients({ name = 'keyside', bufnr = bufnr })
end

--- For a statusline: '' where keyside is not at work, else 'loading', 'ready', 'error', or 'off' where
--- nothing is suggested; then the server's message.
---@param client_id? integer of another client than the current buffer's
---@param bufnr? integer of another buffer than the current one
---@return string state, string message
function M.status(client_id, bufnr)
  bufnr = bufnr or (not client_id and vim.api.nvim_get_current_buf() or nil)
  if not client_id then
    local client = clients(bufnr)[1]
    if not client then
      return '', ''
    end
    client_id = client.id
  end
  local here = bufnr and (off[client_id] or {})[vim.uri_from_bufnr(bufnr)]
  local known = here or states[client_id] or { state = 'loading', message = '' }
  return known.state, known.message
end

--- The server's `keyside/status` notification: of all documents, or of one.
function M.on_status(params, ctx)
  local known = { state = params.state or 'ready', message = params.message or '' }
  if params.uri then
    off[ctx.client_id] = off[ctx.client_id] or {}
    off[ctx.client_id][params.uri] = known.state == 'off' and known or nil
  else
    states[ctx.client_id] = known
  end
  -- The server says an error by window/showMessage too, so it is not shown again here.
  vim.cmd.redrawstatus({ bang = true })
end

--- Why nothing is suggested in a buffer, as a sentence; nil where something may be.
---@param bufnr integer
---@return string?
function M.why_nothing(bufnr)
  if not vim.lsp.is_enabled('keyside') then
    return 'keyside is disabled; :Keyside enable'
  end
  local client = clients(bufnr)[1]
  if client then
    local state, message = M.status(client.id, bufnr)
    if state == 'off' then
      return message
    elseif not vim.lsp.inline_completion.is_enabled({ bufnr = bufnr }) then
      return 'inline completion is disabled here; :lua vim.lsp.inline_completion.enable(true, { bufnr = 0 })'
    end
    return nil
  end
  local filetype = vim.bo[bufnr].filetype
  local filetypes = vim.lsp.config.keyside.filetypes
  if vim.bo[bufnr].buftype ~= '' then
    return ("nothing is suggested here, because this buffer is no file (its 'buftype' is %q)"):format(
      vim.bo[bufnr].buftype
    )
  elseif filetypes and filetype == '' then
    return 'nothing is suggested here, because this buffer has no filetype; :setfiletype gives it one'
  elseif filetypes and not vim.list_contains(filetypes, filetype) then
    return ('nothing is suggested here, because the filetype %q is not in vim.lsp.config.keyside.filetypes; see :help keyside-config'):format(
      filetype
    )
  end
  return 'no server is attached to this buffer; see :checkhealth keyside'
end

--- Whether there is ghost text that `accept` would put in.
---@return boolean
function M.visible()
  return require('keyside.ghost').visible()
end

--- Puts the ghost text, or its next word or line, into the buffer. Not from an expr mapping.
---@param unit? 'all'|'word'|'line'
---@return boolean accepted
function M.accept(unit)
  return require('keyside.ghost').accept(unit or 'all')
end

--- For the <Tab> mapping alone.
function M.accept_or_tab()
  if not M.accept() then
    vim.api.nvim_feedkeys(vim.keycode('<Plug>(keyside-tab)'), 'im', false)
  end
end

--- Maps insert mode <Tab>: accepts when there is ghost text, else does what <Tab> did before.
function M.map_tab()
  local before
  for _, map in ipairs(vim.api.nvim_get_keymap('i')) do
    before = map.lhs == '<Tab>' and map or before
  end
  if before then
    -- The whole mapping under another name: its flags, its script and its Lua function come along.
    before.lhs, before.lhsrawalt = '<Plug>(keyside-tab)', nil
    before.lhsraw = vim.keycode(before.lhs)
    vim.fn.mapset('i', false, before)
  else
    vim.keymap.set('i', '<Plug>(keyside-tab)', '<Tab>')
  end

  -- Vim may read ahead, and run the mapping below before the last key is in the buffer: so whether
  -- the ghost text fits is asked again here.
  vim.keymap.set(
    'i',
    '<Plug>(keyside-accept-or-tab)',
    [[<C-g>u<Cmd>lua require('keyside').accept_or_tab()<CR>]]
  )

  local falling = false
  vim.keymap.set('i', '<Tab>', function()
    -- A mapping made without "noremap" may ask for <Tab> again: then it means the key itself. Vim
    -- does not remap a result that begins with the mapped key, so this is where it ends.
    if falling then
      return '<Tab>'
    elseif vim.fn.pumvisible() == 0 and M.visible() then
      return '<Plug>(keyside-accept-or-tab)'
    end
    if before and before.noremap == 0 then
      falling = true
      vim.schedule(function()
        falling = false
      end)
    end
    return '<Plug>(keyside-tab)'
  end, { expr = true, remap = true, desc = 'keyside: accept the ghost text, or as before' })
end

local subcommands = {
  status = function()
    local bufnr = vim.api.nvim_get_current_buf()
    local client = clients(bufnr)[1]
    local version = client and client.server_info and client.server_info.version
    local name = version and 'keyside ' .. version or 'keyside'
    local why = M.why_nothing(bufnr)
    if why then
      print(('%s: %s'):format(name, why))
      return
    end
    print(('%s: %s %s'):format(name, M.status()))
  end,
  enable = function()
    vim.lsp.enable('keyside')
  end,
  disable = function()
    vim.lsp.enable('keyside', false)
  end,
  toggle = function()
    vim.lsp.enable('keyside', not vim.lsp.is_enabled('keyside'))
  end,
  restart = function()
    if #clients() > 0 then
      vim.cmd('lsp restart keyside')
    else
      vim.lsp.enable('keyside')
    end
  end,
  log = function()
    vim.cmd.split(vim.fn.fnameescape(vim.lsp.log.get_filename()))
  end,
}

for _, action in ipairs({ 'explain', 'refactor', 'fix', 'tests', 'document', 'ask', 'cancel' }) do
  subcommands[action] = function(rest, lines)
    local client = clients(vim.api.nvim_get_current_buf())[1]
    if not client then
      vim.notify('keyside: not attached to this buffer', vim.log.levels.ERROR)
      return
    end
    require('keyside.answer').run(client, action, rest, lines)
  end
end

---@param lead string
function M.complete(lead)
  local names = vim.tbl_filter(function(name)
    return vim.startswith(name, lead)
  end, vim.tbl_keys(subcommands))
  table.sort(names)
  return names
end

---@param words string the subcommand and what follows it
---@param lines? {[1]: integer, [2]: integer} the command's range
function M.command(words, lines)
  local name, rest = words:match('^(%S*)%s*(.*)$')
  local run = subcommands[name == '' and 'status' or name]
  if not run then
    local known = table.concat(M.complete(''), ', ')
    local text = ('keyside: no subcommand %q; there are: %s'):format(name, known)
    vim.notify(text, vim.log.levels.ERROR)
    return
  end
  run(rest, lines)
end

return M
