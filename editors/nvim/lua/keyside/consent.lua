--- The question before anything is sent. What will be sent opens beside, and is there to be read
--- for as long as a person likes: the question comes back when they ask for it.
local M = {}
local api = vim.api

---@class keyside.Reading
---@field bufnr integer the buffer that shows what will be sent
---@field go_on? fun(asks: boolean) what waits until it has been read

local readings = {} ---@type table<integer, keyside.Reading> by client id

--- The texts in a request of whatever protocol, in a form to be read: a heading that says where in
--- the JSON, then the text.
---@param value any decoded JSON
---@param at string where it stands
---@param lines string[] taken along
local function texts(value, at, lines)
  if type(value) == 'string' and value:find('\n') then
    vim.list_extend(lines, { '── ' .. at .. ' ──', '' })
    vim.list_extend(lines, vim.split(value, '\n', { plain = true }))
    table.insert(lines, '')
  elseif vim.islist(value) then
    for i, it in ipairs(value) do
      texts(it, ('%s[%d]'):format(at, i - 1), lines)
    end
  elseif type(value) == 'table' then
    local keys = vim.tbl_keys(value)
    table.sort(keys)
    for _, key in ipairs(keys) do
      texts(value[key], at == '' and key or at .. '.' .. key, lines)
    end
  end
end

--- Ends the reading of a client's request; `asks`: then comes the question, else the answer is no.
local function finish(client_id, asks)
  local reading = readings[client_id]
  if not reading then
    return
  end
  readings[client_id] = nil
  if api.nvim_buf_is_valid(reading.bufnr) then
    api.nvim_buf_delete(reading.bufnr, { force = true })
  end
  if reading.go_on then
    reading.go_on(asks)
  end
end

--- The server's `window/showDocument`. What will be sent is opened as text that is no file, so that
--- no swap file and no other plugin takes it further; everything else is Neovim's own affair.
---@param params lsp.ShowDocumentParams
function M.on_show_document(err, params, ctx)
  local path = params.uri:find('^file:') and vim.uri_to_fname(params.uri) or ''
  if not vim.fs.basename(path):find('^request%-%x+[%-%d]*%.json$') then
    return vim.lsp.handlers['window/showDocument'](err, params, ctx)
  end
  local read, bytes = pcall(vim.fn.readblob, path)
  if not read then
    return { success = false }
  end
  finish(ctx.client_id, false)
  local lines = {}
  local is_json, request = pcall(vim.json.decode, bytes)
  if is_json then
    texts(request, '', lines)
  end
  vim.list_extend(lines, { '── the bytes, all of them ──', '' })
  vim.list_extend(lines, vim.split(bytes, '\n', { plain = true }))
  local bufnr = api.nvim_create_buf(false, true)
  api.nvim_buf_set_name(bufnr, ('keyside://what will be sent (%d)'):format(bufnr))
  api.nvim_buf_set_lines(bufnr, 0, -1, true, lines)
  vim.bo[bufnr].modifiable = false
  vim.cmd('rightbelow vertical split')
  api.nvim_win_set_buf(0, bufnr)
  vim.wo[0][0].wrap = true
  vim.wo[0][0].winbar = 'keyside: this is what will be sent; <CR> goes on to the question'
  readings[ctx.client_id] = { bufnr = bufnr }
  for _, key in ipairs({ '<CR>', 'q' }) do
    vim.keymap.set('n', key, function()
      finish(ctx.client_id, true)
    end, { buffer = bufnr, nowait = true, desc = 'keyside: on to the question' })
  end
  api.nvim_create_autocmd('BufWinLeave', {
    buffer = bufnr,
    once = true,
    callback = vim.schedule_wrap(function()
      -- Of this request, and not of one that was opened since.
      if readings[ctx.client_id] and readings[ctx.client_id].bufnr == bufnr then
        finish(ctx.client_id, true)
      end
    end),
  })
  return { success = true }
end

--- The server's `window/showMessageRequest`: Neovim's own, but not before what will be sent has
--- been read.
function M.on_question(err, params, ctx)
  local ask = vim.lsp.handlers['window/showMessageRequest']
  local reading = readings[ctx.client_id]
  local co, is_main = coroutine.running()
  if not reading or not co or is_main then
    return ask(err, params, ctx)
  end
  reading.go_on = function(asks)
    vim.schedule(function()
      coroutine.resume(co, asks)
    end)
  end
  if coroutine.yield() then
    return ask(err, params, ctx)
  end
  return vim.NIL
end

--- Nothing is to be sent after all.
---@param client_id integer
function M.cancel(client_id)
  finish(client_id, false)
end

return M
