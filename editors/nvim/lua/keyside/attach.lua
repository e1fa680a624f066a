--- In which buffers the server is at work: every ordinary file, but for the filetypes that the
--- options exclude.
local M = {}

--- One server for a repository, however many packages it holds: each keeps a model in memory.
local ROOT_MARKERS = { '.git', '.jj', '.hg', '.svn' }

--- Whether this Neovim has what the plugin stands on: 0.11.4 does.
---@return boolean
function M.is_new_enough()
  return vim.lsp.is_enabled ~= nil
end

---@param bufnr integer
---@return boolean
function M.is_file(bufnr)
  local filetype = vim.bo[bufnr].filetype
  return vim.bo[bufnr].buftype == ''
    and not vim.list_contains(require('keyside.options').get().exclude, filetype)
end

--- The `root_dir` of the client: where it calls back, the server is started.
---@param bufnr integer
---@param on_dir fun(root?: string)
function M.root_dir(bufnr, on_dir)
  if M.is_file(bufnr) then
    on_dir(vim.fs.root(bufnr, ROOT_MARKERS))
  end
end

--- A file of which Neovim knows no filetype.
---@param bufnr integer
function M.without_filetype(bufnr)
  if
    not vim.api.nvim_buf_is_loaded(bufnr)
    or vim.bo[bufnr].filetype ~= ''
    or vim.api.nvim_buf_get_name(bufnr) == ''
    or not vim.lsp.is_enabled('keyside')
  then
    return
  end
  local config = vim.deepcopy(vim.lsp.config.keyside)
  if config.filetypes or not M.is_file(bufnr) then
    return
  end
  local function start(root)
    config.root_dir = root
    vim.lsp.start(config, { bufnr = bufnr, reuse_client = config.reuse_client })
  end
  if type(config.root_dir) == 'function' then
    config.root_dir(bufnr, start)
  else
    start(config.root_dir)
  end
end

return M
