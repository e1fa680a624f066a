--- Macros hold what was accepted as text, not the key that accepted it: when they run, other text
--- may be suggested, or none.
---
--- A mark is recorded after the key; when the recording ends, the key and the mark become the text.
local M = {}
local api = vim.api

local MARK = vim.keycode('<Plug>(keyside-accepted)')

local accepted = {} ---@type string[] since the recording began, one for each mark

--- How many bytes the last key of a recording has: a special key has three, and a modifier three
--- before it.
local function last_key_length(keys)
  local special = keys:match('\128\252.\128..$') or keys:match('\128\252..$') or keys:match('\128..$')
  return special and #special or #vim.fn.strcharpart(keys, vim.fn.strchars(keys) - 1)
end

--- The keys that type a text as it is, without indents, abbreviations or pairs.
local function as_typed(text)
  local escaped = text:gsub('["\\]', '\\%0'):gsub('\n', '\\n'):gsub('\t', '\\t')
  return vim.keycode('<C-r><C-o>') .. '="' .. escaped .. '"\r'
end

--- Called when `text` was accepted.
---@param text string
function M.on_accept(text)
  if vim.fn.reg_recording() ~= '' then
    table.insert(accepted, text)
    api.nvim_feedkeys(MARK, 'mt', false)
  end
end

local function rewrite(name)
  local keys = vim.fn.getreg(name)
  for _, text in ipairs(accepted) do
    local at = keys:find(MARK, 1, true)
    if not at then
      break
    end
    local before = keys:sub(1, at - 1)
    keys = before:sub(1, #before - last_key_length(before)) .. as_typed(text) .. keys:sub(at + #MARK)
  end
  accepted = {}
  vim.fn.setreg(name, keys, 'c')
end

function M.attach()
  vim.keymap.set('i', '<Plug>(keyside-accepted)', '<Ignore>')
  local group = api.nvim_create_augroup('keyside:macro', {})
  api.nvim_create_autocmd('RecordingEnter', {
    group = group,
    callback = function()
      accepted = {}
    end,
  })
  api.nvim_create_autocmd('RecordingLeave', {
    group = group,
    callback = function()
      -- Neovim fills the register after this event.
      local name = vim.fn.reg_recording():lower()
      if #accepted > 0 and name ~= '' then
        vim.schedule(function()
          rewrite(name)
        end)
      end
    end,
  })
end

return M
