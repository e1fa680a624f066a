--- What the rest of a configuration may call.
local M = {}

---@alias keyside.State {state: string, message: string}
local states = {} ---@type table<integer, keyside.State> by client id
local off = {} ---@type table<integer, table<string, keyside.State>> by client id and URI

---@param bufnr? integer
local function clients(bufnr)
  return vim.lsp.get_clients({ name = 'keyside', bufnr = bufnr })
end

--- For a statusline: '' where keyside is not at work, else 'loading', 'ready', 'error', or 'off'
--- where nothing is suggested; then the server's message.
---@param client_id? integer of another client than the current buffer's
---@param bufnr? integer of another buffer than the current one
---@return string state, string message
function M.status(client_id, bufnr)
  bufnr = bufnr or (not client_id and vim.api.nvim_get_current_buf() or nil)
  if not client_id then
    local client = clients(bufnr)[1]
    if not client then
      local fault = require('keyside.server').fault()
      return fault and 'error' or '', fault or ''
    end
    client_id = client.id
  end
  local why = bufnr and require('keyside.switch').why_off(bufnr)
  if why then
    return 'off', why
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
    elseif vim.lsp.inline_completion and not vim.lsp.inline_completion.is_enabled({ bufnr = bufnr }) then
      return 'inline completion is disabled here; :lua vim.lsp.inline_completion.enable(true, { bufnr = 0 })'
    end
    return nil
  end
  local fault = require('keyside.server').fault()
  if fault and require('keyside.attach').is_file(bufnr) then
    return fault
  end
  local filetype = vim.bo[bufnr].filetype
  local filetypes = vim.lsp.config.keyside.filetypes
  if vim.bo[bufnr].buftype ~= '' then
    return ("nothing is suggested here, because this buffer is no file (its 'buftype' is %q)"):format(
      vim.bo[bufnr].buftype
    )
  elseif vim.list_contains(require('keyside.options').get().exclude, filetype) then
    return ('nothing is suggested here, because vim.g.keyside.exclude has the filetype %q; see :help g:keyside'):format(
      filetype
    )
  elseif filetypes and not vim.list_contains(filetypes, filetype) then
    return ('nothing is suggested here, because the filetype %q is not in vim.lsp.config.keyside.filetypes; see :help keyside-config'):format(
      filetype
    )
  end
  if filetype == '' and vim.api.nvim_buf_get_name(bufnr) == '' then
    return 'nothing is suggested here, because this buffer has neither a name nor a filetype; :setfiletype gives it one'
  end
  return 'no server is attached to this buffer; see :checkhealth keyside'
end

--- For a statusline, in few words: '' where keyside is not at work; else what it is doing.
---@return string
function M.statusline()
  local state, message = M.status()
  local answer = require('keyside.progress').line()
  if state == '' then
    return ''
  elseif answer ~= '' then
    return answer
  elseif state == 'off' and message:find('^snoozed') then
    return 'keyside: snoozed'
  end
  return 'keyside: ' .. state
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
  return require('keyside.accept').accept(unit or 'all')
end

--- Takes the ghost text away until something is typed.
---@return boolean dismissed
function M.dismiss()
  return require('keyside.ghost').dismiss()
end

--- Asks for suggestions at the caret, also where none come by themselves.
function M.suggest()
  require('keyside.ghost').ask()
end

--- Shows the next suggestion.
function M.next()
  require('keyside.ghost').select(1)
end

--- Shows the one before.
function M.previous()
  require('keyside.ghost').select(-1)
end

return M
