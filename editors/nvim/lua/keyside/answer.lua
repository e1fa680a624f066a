--- What a cloud model answers, in a window beside, while it is being written.
local M = {}
local api = vim.api

local buffers = {} ---@type table<string, integer> by client and token of the answer

--- Who closes an answer's last window, or its buffer, while it is being written does not want it:
--- the request ends, and with it what it costs.
---@param bufnr integer
---@param key string
---@param client_id integer
---@param token string
local function end_with_window(bufnr, key, client_id, token)
  local group = api.nvim_create_augroup('keyside:answer:' .. bufnr, {})
  local function look()
    local is_written = buffers[key] ~= nil
    if is_written and api.nvim_buf_is_valid(bufnr) and #vim.fn.win_findbuf(bufnr) > 0 then
      return
    end
    pcall(api.nvim_del_augroup_by_id, group)
    local client = vim.lsp.get_client_by_id(client_id)
    if is_written and client then
      client:notify('window/workDoneProgress/cancel', { token = token })
    end
  end
  -- Afterwards, when the window is gone.
  local later = vim.schedule_wrap(look)
  api.nvim_create_autocmd('WinClosed', { group = group, callback = later })
  api.nvim_create_autocmd({ 'BufUnload', 'BufWipeout' }, { group = group, buffer = bufnr, callback = later })
end

---@param title string
---@return integer bufnr
local function open(title)
  local bufnr = api.nvim_create_buf(true, true)
  vim.bo[bufnr].filetype = 'markdown'
  pcall(api.nvim_buf_set_name, bufnr, ('keyside://%s (%d)'):format(title, bufnr))
  local here = api.nvim_get_current_win()
  vim.cmd('rightbelow vertical split')
  api.nvim_win_set_buf(0, bufnr)
  vim.wo[0][0].wrap = true
  vim.wo[0][0].linebreak = true
  api.nvim_set_current_win(here)
  return bufnr
end

--- The server's `keyside/answer` notification: the whole text so far.
---@param params {token: string, title: string, text: string, done: boolean}
function M.on_answer(params, ctx)
  local key = ctx.client_id .. ':' .. params.token
  local bufnr = buffers[key]
  if not bufnr then
    bufnr = open(params.title)
    buffers[key] = bufnr
    local window = M.window(key)
    if window and not params.done then
      vim.wo[window][0].winbar = require('keyside.progress').winbar(key)
    end
    if not params.done then
      end_with_window(bufnr, key, ctx.client_id, params.token)
    end
  end
  if params.done then
    for _, window in ipairs(vim.fn.win_findbuf(bufnr)) do
      vim.wo[window][0].winbar = ''
    end
    buffers[key] = nil
  end
  if not api.nvim_buf_is_loaded(bufnr) then
    -- Closed while it was being written: it is not opened again.
    return
  end
  local lines = vim.split(params.text, '\n', { plain = true })
  local old = api.nvim_buf_get_lines(bufnr, 0, -1, true)
  -- Only what is new, so that a caret in the text stays where it is.
  local same = 0
  while same < #old and same < #lines and old[same + 1] == lines[same + 1] do
    same = same + 1
  end
  vim.bo[bufnr].modifiable = true
  api.nvim_buf_set_lines(bufnr, same, -1, true, vim.list_slice(lines, same + 1))
  vim.bo[bufnr].modifiable = false
end

--- The window that shows an answer which is being written.
---@param key string by client and token
---@return integer?
function M.window(key)
  local bufnr = buffers[key]
  return bufnr and vim.fn.win_findbuf(bufnr)[1] or nil
end

--- The diagnostics of some lines; of all, where none are named.
local function reported(diagnostics, lines)
  return vim.tbl_filter(function(it)
    return not lines or it.line >= lines[1] and it.line <= lines[2]
  end, diagnostics)
end

--- Asks the server for one of its actions on the lines of a command, or where the caret is.
---@param client vim.lsp.Client
---@param action string
---@param question string
---@param lines? {[1]: integer, [2]: integer} from 1, both included
function M.run(client, action, question, lines)
  if action == 'cancel' then
    require('keyside.consent').cancel(client.id)
  end
  local bufnr = api.nvim_get_current_buf()
  local range = vim.lsp.util.make_range_params(0, client.offset_encoding).range
  if lines then
    range = {
      start = { line = lines[1] - 1, character = 0 },
      ['end'] = { line = lines[2], character = 0 },
    }
  end
  -- Of the whole buffer: the server knows which lines it is about.
  local diagnostics = {}
  for _, it in ipairs(vim.diagnostic.get(bufnr)) do
    table.insert(diagnostics, { line = it.lnum + 1, message = it.message })
  end
  local argument = {
    uri = vim.uri_from_bufnr(bufnr),
    range = range,
    diagnostics = diagnostics,
    question = question,
  }
  local function send()
    local params = { command = 'keyside.' .. action, arguments = { argument } }
    client:request('workspace/executeCommand', params, function(err)
      if err then
        vim.notify('keyside: ' .. err.message, vim.log.levels.ERROR)
      end
    end, bufnr)
  end

  local prompt
  if action == 'ask' then
    prompt = 'What do you want to know? '
  elseif action == 'fix' and #reported(diagnostics, lines) == 0 then
    prompt = 'Nothing is reported here. What is wrong? '
  end
  if not prompt or question:find('%S') then
    return send()
  end
  vim.ui.input({ prompt = prompt }, function(text)
    if text and text:find('%S') then
      argument.question = text
      send()
    end
  end)
end

return M
