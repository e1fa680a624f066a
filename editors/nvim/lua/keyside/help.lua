--- Makes `:help keyside` work without a plugin manager, which would make the tags.
local M = {}

--- Where the tags are missing or older than the text, and the folder can be written.
function M.make_tags()
  local doc = vim.fs.dirname(debug.getinfo(1, 'S').source:sub(2)) .. '/../../doc'
  local text = vim.uv.fs_stat(doc .. '/keyside.txt')
  local tags = vim.uv.fs_stat(doc .. '/tags')
  local is_stale = not tags or (text and tags.mtime.sec < text.mtime.sec)
  if text and is_stale and vim.uv.fs_access(doc, 'W') then
    pcall(vim.cmd.helptags, vim.fn.fnameescape(vim.fs.normalize(doc)))
  end
end

return M
