--- Puts the ghost, or a part of it, into the buffer as if it had been typed: `.` repeats it, `u`
--- takes it back, a macro holds it.
local M = {}
local api = vim.api
local ghost = require('keyside.ghost')

--- The next word or line of `text`, with the white space before it.
local function piece(text, unit)
  if unit == 'word' then
    return text:match('^%s*[%w_\128-\255]+') or text:match('^%s*[^%w_%s\128-\255]+') or text
  elseif unit == 'line' then
    return text:match('^\n?[^\n]*')
  end
  return text
end

--- Does at once what vim.lsp.inline_completion.get() leaves to a later turn of the loop, and with
--- the line as it is now: Neovim replaces the range of the time of the answer, and what was typed
--- since stays beside the text (neovim#36529).
---@param unit 'all'|'word'|'line'
---@return boolean accepted
function M.accept(unit)
  local bufnr = api.nvim_get_current_buf()
  if not ghost.at_once() then
    return vim.lsp.inline_completion.get({
      on_accept = function(item)
        local from = ghost.answered(bufnr)
        return from and from.tick == api.nvim_buf_get_changedtick(bufnr) and item or nil
      end,
    })
  end
  local self, text, over = ghost.current()
  if not self then
    return false
  end
  local item = self.current
  local part = piece(text, unit)
  local whole = part == text
  item.keyside_settled = true
  -- A part of one line leaves the remainder on show.
  if whole or part:find('\n') then
    self:abort()
  end

  if whole and over ~= '' then
    local row, col = unpack(api.nvim_win_get_cursor(0))
    api.nvim_buf_set_text(bufnr, row - 1, col, row - 1, col + #over, { '' })
  end
  -- Of all that puts text in, this is what `.` repeats as it is: <C-r><C-o>= is not repeated, and
  -- <C-r><C-r>= lets indents and abbreviations at it.
  api.nvim_paste(part, false, -1)
  require('keyside.macro').on_accept(part)

  local client = vim.lsp.get_client_by_id(item.client_id)
  if whole and item.command and client then
    client:exec_cmd(item.command, { bufnr = bufnr })
  elseif not whole then
    ghost.report(item, 'didPartiallyAccept', { unit = unit, length = vim.fn.strchars(part) })
  end
  return true
end

return M
