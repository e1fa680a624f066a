--- What `vim.g.keyside` sets; everything has a default, and no call is needed.
local M = {}

M.defaults = {
  --- Keys of the plugin's own: <Tab>, <C-]> and <M-\> in insert mode, the last two where they are
  --- free.
  default_maps = true,
  --- Filetypes in which nothing is suggested. Messages to people, and notes of a version control.
  exclude = { 'gitcommit', 'gitrebase', 'hgcommit', 'jjdescription', 'mail', 'svn' },
  --- For how long :Keyside snooze is quiet, where it names no time.
  snooze_minutes = 10,
}

local complained = false

--- The options in force. What is wrong in them is named once, and the rest is used.
---@return {default_maps: boolean, exclude: string[], snooze_minutes: number}
function M.get()
  local set = vim.g.keyside
  local options, wrong = {}, {}
  for name, default in pairs(M.defaults) do
    options[name] = default
  end
  if set ~= nil and type(set) ~= 'table' then
    wrong[1] = 'vim.g.keyside is a table'
  end
  for name, value in pairs(type(set) == 'table' and set or {}) do
    local default = M.defaults[name]
    if default == nil then
      wrong[#wrong + 1] = ('vim.g.keyside has no option %q'):format(tostring(name))
    elseif type(value) ~= type(default) then
      wrong[#wrong + 1] = ('vim.g.keyside.%s is a %s'):format(name, type(default))
    else
      options[name] = value
    end
  end
  if #wrong > 0 and not complained then
    complained = true
    local text = ('keyside: %s; see :help g:keyside'):format(table.concat(wrong, '; '))
    vim.schedule(function()
      vim.notify(text, vim.log.levels.WARN)
    end)
  end
  -- The older name of the first.
  local no_maps = vim.g.keyside_no_default_maps
  if no_maps == true or no_maps == 1 then
    options.default_maps = false
  end
  return options
end

return M
