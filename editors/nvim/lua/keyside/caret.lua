--- Tells the server where the caret rests while nothing is typed, so that the first key there is
--- answered as quickly as those that follow.
local M = {}
local api = vim.api

--- One that rests this long may stay; one that is on its way somewhere does not.
local REST_MS = 100

local timer

local function tell()
  local bufnr = api.nvim_get_current_buf()
  local clients = vim.lsp.get_clients({ name = 'keyside', bufnr = bufnr })
  for _, client in ipairs(api.nvim_get_mode().mode == 'n' and clients or {}) do
    local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
    client:notify('keyside/didMoveCaret', params)
  end
end

local function later()
  timer = timer or vim.uv.new_timer()
  if timer then
    timer:start(REST_MS, 0, vim.schedule_wrap(tell))
  end
end

--- Called for each buffer that our client attaches to.
---@param bufnr integer
function M.attach(bufnr)
  api.nvim_create_autocmd({ 'BufEnter', 'CursorMoved', 'InsertLeave' }, {
    group = api.nvim_create_augroup('keyside:caret:' .. bufnr, {}),
    buffer = bufnr,
    callback = later,
  })
  later()
end

return M
