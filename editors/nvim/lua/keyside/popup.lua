--- Popup menus of completion: where one is up, its keys and its place come first.
local M = {}

--- Asks a plugin, where it is loaded; one that has changed counts as closed.
local function asks(name, question)
  local plugin = package.loaded[name]
  if type(plugin) ~= 'table' or type(plugin[question]) ~= 'function' then
    return false
  end
  local ok, answer = pcall(plugin[question], plugin)
  return ok and answer == true
end

--- Whether the menu of nvim-cmp or of blink.cmp is up: the ghost steps back for it.
---@return boolean
function M.is_plugins()
  -- nvim-cmp's functions take no self; what they are given is ignored.
  return asks('cmp', 'visible') or asks('blink.cmp', 'is_menu_visible')
end

--- Whether an entry of Neovim's own menu is selected: then <Tab> is the menu's.
---@return boolean
function M.is_selected()
  return vim.fn.pumvisible() == 1 and vim.fn.complete_info({ 'selected' }).selected ~= -1
end

--- Whether <Tab> would go to the next place of a snippet.
---@return boolean
function M.is_in_snippet()
  local ours = vim.snippet
  if type(ours) == 'table' and ours.active and ours.active({ direction = 1 }) then
    return true
  end
  local luasnip = package.loaded['luasnip']
  if type(luasnip) == 'table' and type(luasnip.locally_jumpable) == 'function' then
    local ok, answer = pcall(luasnip.locally_jumpable, 1)
    return ok and answer == true
  end
  return false
end

--- Calls back when a plugin's menu opens or closes.
---@param changed fun()
function M.watch(changed)
  local group = vim.api.nvim_create_augroup('keyside:popup', {})
  vim.api.nvim_create_autocmd('User', {
    group = group,
    pattern = { 'BlinkCmpMenuOpen', 'BlinkCmpMenuClose' },
    callback = changed,
  })
  -- nvim-cmp has events of its own, and may be loaded later.
  local watched
  local function watch_cmp()
    local cmp = package.loaded['cmp']
    if type(cmp) ~= 'table' or watched == cmp or type(cmp.event) ~= 'table' then
      return
    end
    watched = cmp
    for _, name in ipairs({ 'menu_opened', 'menu_closed' }) do
      pcall(cmp.event.on, cmp.event, name, vim.schedule_wrap(changed))
    end
  end
  vim.api.nvim_create_autocmd('InsertEnter', { group = group, callback = watch_cmp })
  watch_cmp()
end

return M
