--- The ghost's highlight group, KeysideGhost, which looks like no code on any terminal: ComplHint
--- has colours for terminals with true colour alone in most colour schemes.
local M = {}
local api = vim.api

local ours ---@type table<string, any>? what this file set

--- How many colours the screens that show this Neovim have, at the least.
local function n_colours()
  local least = math.huge
  for _, ui in ipairs(api.nvim_list_uis()) do
    least = math.min(least, ui.term_colors and ui.term_colors > 0 and ui.term_colors or math.huge)
  end
  return least
end

--- A grey of the 256 that no terminal gives another colour; else an attribute that each one has.
local function on_terminal()
  local n = n_colours()
  if n >= 256 then
    return { ctermfg = 244 }
  elseif n >= 16 then
    return { ctermfg = 8 }
  end
  return { cterm = { underline = true } }
end

--- Sets the group where neither the person nor their colour scheme has.
function M.set()
  local now = api.nvim_get_hl(0, { name = 'KeysideGhost' })
  if next(now) and not vim.deep_equal(now, ours) then
    return
  end
  local name = 'ComplHint'
  local hint = api.nvim_get_hl(0, { name = name, link = false })
  if not next(hint) then
    name = 'NonText'
    hint = api.nvim_get_hl(0, { name = name, link = false })
  end
  if hint.ctermfg or hint.cterm and next(hint.cterm) then
    api.nvim_set_hl(0, 'KeysideGhost', { link = name })
  else
    api.nvim_set_hl(0, 'KeysideGhost', vim.tbl_extend('force', hint, on_terminal()))
  end
  ours = api.nvim_get_hl(0, { name = 'KeysideGhost' })
  -- Neovim 0.11 does not have it.
  api.nvim_set_hl(0, 'ComplHintMore', { link = 'MoreMsg', default = true })
end

--- Sets it now, and again whenever a colour scheme or another terminal comes.
function M.attach()
  M.set()
  api.nvim_create_autocmd({ 'ColorScheme', 'UIEnter' }, {
    group = api.nvim_create_augroup('keyside:colours', {}),
    desc = 'keyside: how ghost text looks',
    callback = M.set,
  })
end

return M
