--- Tells the server where the caret rests while nothing is typed, so that the first key there is
--- answered as quickly as those that follow.
local M = {}
local api = vim.api

--- One that rests this long may stay; one that is on its way somewhere does not.
local REST_MS = 100

local timer

---@param client vim.lsp.Client
---@param bufnr integer
local function tell(client, bufnr)
  local here = api.nvim_get_current_buf() == bufnr and api.nvim_get_mode().mode == 'n'
  if here and not client:is_stopped() and vim.lsp.buf_is_attached(bufnr, client.id) then
    local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
    client:notify('keyside/didMoveCaret', params)
  end
end

---@param client vim.lsp.Client
---@param bufnr integer
function M.attach(client, bufnr)
  local function later()
    timer = timer or vim.uv.new_timer()
    if timer then
      timer:start(REST_MS, 0, function()
        vim.schedule(function()
          tell(client, bufnr)
        end)
      end)
    end
  end
  api.nvim_create_autocmd({ 'BufEnter', 'CursorMoved', 'InsertLeave' }, {
    group = api.nvim_create_augroup('keyside:caret:' .. bufnr, {}),
    buffer = bufnr,
    callback = later,
  })
  later()
end

return M
