--- Keeps the server's copy of a buffer in step where Neovim 0.12 stops doing so: when a buffer is
--- edited while it has no language client (after a crash, or between :Keyside disable and enable),
--- Neovim gives up its listener and never makes another one for that buffer, so the next server
--- would go on with the text that it started with.
local M = {}

local listening = {} ---@type table<integer, boolean>
--- Buffers whose listener Neovim gave up.
local alone = {} ---@type table<integer, boolean>

---@param bufnr integer
local function detach(bufnr)
  local clients = alone[bufnr] and vim.lsp.get_clients({ name = 'keyside', bufnr = bufnr }) or {}
  for _, client in ipairs(clients) do
    vim.lsp.buf_detach_client(bufnr, client.id)
  end
  return clients
end

---@param bufnr integer
function M.attach(bufnr)
  local ok, changes = pcall(require, 'vim.lsp._changetracking')
  if listening[bufnr] or not ok or type(changes.send_changes) ~= 'function' then
    return
  end
  listening[bufnr] = true
  local versions = vim.lsp.util.buf_versions
  vim.api.nvim_buf_attach(bufnr, false, {
    on_lines = function(_, _, changedtick, first, last, new_last)
      if #vim.lsp.get_clients({ bufnr = bufnr }) == 0 then
        alone[bufnr] = true
      elseif rawget(versions, bufnr) ~= changedtick then
        -- Neovim's listener is older than this one: were it still there, the version would be up to
        -- date by now.
        alone[bufnr] = true
        versions[bufnr] = changedtick
        changes.send_changes(bufnr, first, last, new_last)
      end
    end,
    on_reload = function()
      for _, client in ipairs(detach(bufnr)) do
        vim.lsp.buf_attach_client(bufnr, client.id)
      end
    end,
    -- Unloaded, or read again with :edit, where the filetype's event attaches the client anew.
    on_detach = function()
      listening[bufnr] = nil
      detach(bufnr)
    end,
  })
end

return M
