--- What a cloud model answers, in a window beside, while it is being written.
local M = {}
local api = vim.api

local buffers = {} ---@type table<string, integer> by client and token of the answer

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
  end
  if params.done then
    buffers[key] = nil
  end
  if not api.nvim_buf_is_valid(bufnr) then
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
  local params = { command = 'keyside.' .. action, arguments = { argument } }
  client:request('workspace/executeCommand', params, function(err)
    if err then
      vim.notify('keyside: ' .. err.message, vim.log.levels.ERROR)
    end
  end, bufnr)
end

return M
