-- Asks a gateway whether an upgrade may pass: `http-request lua.oncegate_admit <address> <admin port>`.
--
-- It speaks HTTP over a socket of its own. core.httpclient would send a request up to three more times if the
-- answer is late, and a ticket is valid for one.

local CONNECT_AND_ANSWER_SECONDS = 3

-- The client's headers that the decision needs. No other reaches the gateway.
local ASKED_WITH = {
    'host', 'origin', 'authorization', 'connection', 'upgrade', 'transfer-encoding',
    'sec-websocket-key', 'sec-websocket-version', 'sec-websocket-protocol',
}

local IDENTITY = {
    'Oncegate-Subject', 'Oncegate-Ticket-Id', 'Oncegate-Claims', 'Oncegate-Client-Claims', 'Oncegate-Identity',
}

-- What the client gets of a refusal, with the status and the body.
local PASSED_ON = {
    'content-type', 'cache-control', 'www-authenticate', 'retry-after', 'allow', 'upgrade', 'sec-websocket-version',
}

local function question(txn)
    local headers = txn.http:req_get_headers()
    local lines = {
        'GET /admit HTTP/1.0',
        'X-Original-URI: ' .. txn.sf:pathq(),
        'X-Original-Method: ' .. txn.sf:method(),
        'X-Forwarded-For: ' .. txn.sf:src(),
        'X-Forwarded-Host: ' .. txn.sf:req_hdr('host'),
    }
    for _, name in ipairs(ASKED_WITH) do
        local values = headers[name]
        -- Each value is sent in a line of its own: the gateway refuses a header that may be there only once.
        local index = 0
        while values ~= nil and values[index] ~= nil do
            lines[#lines + 1] = name .. ': ' .. values[index]
            index = index + 1
        end
    end
    -- Without an Upgrade header the gateway would assume that the proxy removed it.
    if headers['upgrade'] == nil then lines[#lines + 1] = 'Upgrade: none' end
    return table.concat(lines, '\r\n') .. '\r\n\r\n'
end

-- Returns status, headers by lower-case name, and body; nil if there is no complete answer.
local function ask(address, port, text)
    local socket = core.tcp()
    socket:settimeout(CONNECT_AND_ANSWER_SECONDS)
    if not socket:connect(address, port) then return nil end
    if not socket:send(text) then return nil end
    local status = tonumber((socket:receive('*l') or ''):match('^HTTP/1%.[01] (%d%d%d) '))
    local headers = {}
    local line = socket:receive('*l')
    while line ~= nil and line ~= '' and line ~= '\r' do
        local name, value = line:match('^([^:]+):%s*(.-)%s*$')
        if name ~= nil then headers[name:lower()] = value end
        line = socket:receive('*l')
    end
    local length = tonumber(headers['content-length'])
    if status == nil or line == nil or length == nil then return nil end
    local body = length == 0 and '' or socket:receive(length)
    socket:close()
    if body == nil then return nil end
    return status, headers, body
end

local function answer(txn, status, headers, body)
    local reply = txn:reply({ status = status })
    for name, value in pairs(headers) do reply:add_header(name, value) end
    reply:set_body(body)
    txn:done(reply)
end

core.register_action('oncegate_admit', { 'http-req' }, function(txn, address, port)
    local status, headers, body = ask(address, tonumber(port), question(txn))
    if status == nil then
        return answer(txn, 503, {
            ['content-type'] = 'application/problem+json',
            ['cache-control'] = 'no-store',
            ['retry-after'] = '2',
        }, '{"type":"about:blank","title":"Service Unavailable","status":503}')
    end
    txn:set_var('txn.oncegate_code', headers['oncegate-code'] or '')
    if status ~= 200 then
        local passed = {}
        for _, name in ipairs(PASSED_ON) do passed[name] = headers[name] end
        return answer(txn, status, passed, body)
    end

    for _, name in ipairs(IDENTITY) do txn.http:req_set_header(name, headers[name:lower()]) end
    -- Path, query, subprotocols and credentials without the ticket.
    txn.http:req_set_uri(headers['oncegate-uri'])
    if headers['oncegate-protocols'] == '' then
        txn.http:req_del_header('Sec-WebSocket-Protocol')
    else
        txn.http:req_set_header('Sec-WebSocket-Protocol', headers['oncegate-protocols'])
    end
    if (txn.sf:req_hdr('authorization') or ''):lower():match('^ticket%f[%s\0]') then
        txn.http:req_del_header('Authorization')
    end
    txn:set_var('txn.oncegate_default_protocol', headers['oncegate-default-protocol'])
end, 2)
