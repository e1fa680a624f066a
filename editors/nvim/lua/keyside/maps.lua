--- The <Plug> maps of insert mode, and the few keys that are the plugin's own.
local M = {}

local function keyside()
  return require('keyside')
end

--- Before what is accepted: Neovim's own menu closes and leaves the text as it was typed; and what
--- comes can be undone by itself.
local function before_accept()
  return (vim.fn.pumvisible() == 1 and '<C-e>' or '') .. '<C-g>u'
end

function M.plug()
  local function map(name, run, desc)
    vim.keymap.set('i', ('<Plug>(keyside-%s)'):format(name), run, { desc = 'keyside: ' .. desc })
  end
  for name, unit in pairs({ accept = 'all', ['accept-word'] = 'word', ['accept-line'] = 'line' }) do
    local plug = ('<Plug>(keyside-%s)'):format(name)
    vim.keymap.set('i', plug, function()
      return before_accept() .. ([[<Cmd>lua require('keyside').accept('%s')<CR>]]):format(unit)
    end, { expr = true, desc = ('keyside: accept the ghost text (%s)'):format(unit) })
  end
  map('dismiss', function()
    keyside().dismiss()
  end, 'dismiss the ghost text')
  map('suggest', function()
    keyside().suggest()
  end, 'ask for suggestions here')
  map('next', function()
    keyside().next()
  end, 'the next suggestion')
  map('previous', function()
    keyside().previous()
  end, 'the suggestion before')
end

--- Maps insert mode <Tab>: accepts when there is ghost text, else does what <Tab> did before.
function M.tab()
  local before
  for _, map in ipairs(vim.api.nvim_get_keymap('i')) do
    before = map.lhs == '<Tab>' and map or before
  end
  if before then
    -- The whole mapping under another name: its flags, its script and its Lua function come along.
    before.lhs, before.lhsrawalt = '<Plug>(keyside-tab)', nil
    before.lhsraw = vim.keycode(before.lhs)
    vim.fn.mapset('i', false, before)
  else
    vim.keymap.set('i', '<Plug>(keyside-tab)', '<Tab>')
  end

  -- Vim may read ahead, and run the mapping below before the last key is in the buffer: so whether
  -- the ghost text fits is asked again here.
  vim.keymap.set('i', '<Plug>(keyside-accept-or-tab)', function()
    return before_accept() .. [[<Cmd>lua require('keyside.maps').accept_or_tab()<CR>]]
  end, { expr = true })

  local falling = false
  vim.keymap.set('i', '<Tab>', function()
    -- A mapping made without "noremap" may ask for <Tab> again: then it means the key itself. Vim
    -- does not remap a result that begins with the mapped key, so this is where it ends.
    if falling then
      return '<Tab>'
    elseif M.is_tab_ours() and keyside().visible() then
      return '<Plug>(keyside-accept-or-tab)'
    end
    if before and before.noremap == 0 then
      falling = true
      vim.schedule(function()
        falling = false
      end)
    end
    return '<Plug>(keyside-tab)'
  end, { expr = true, remap = true, desc = 'keyside: accept the ghost text, or as before' })
end

--- Not where an entry of a menu is selected, nor in a snippet with another place to go to.
function M.is_tab_ours()
  local popup = require('keyside.popup')
  return not (popup.is_selected() or popup.is_plugins() or popup.is_in_snippet())
end

--- For the <Tab> mapping alone.
function M.accept_or_tab()
  if not keyside().accept() then
    vim.api.nvim_feedkeys(vim.keycode('<Plug>(keyside-tab)'), 'im', false)
  end
end

--- The plugin's own keys, where the person has not given them another meaning.
function M.defaults()
  M.tab()
  if vim.fn.maparg('<C-]>', 'i') == '' and vim.fn.hasmapto('<Plug>(keyside-dismiss)', 'i') == 0 then
    vim.keymap.set('i', '<C-]>', function()
      return keyside().visible() and '<Plug>(keyside-dismiss)' or '<C-]>'
    end, { expr = true, remap = true, desc = 'keyside: dismiss the ghost text, or as before' })
  end
  if vim.fn.maparg([[<M-\>]], 'i') == '' and vim.fn.hasmapto('<Plug>(keyside-suggest)', 'i') == 0 then
    vim.keymap.set('i', [[<M-\>]], '<Plug>(keyside-suggest)', { desc = 'keyside: ask for suggestions here' })
  end
end

return M
