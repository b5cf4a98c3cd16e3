// Small servers that follow the text of their protocol as far as the clients use it.
const { WebSocketServer } = require('ws');

// ticking calls tick ten times a second until the socket closes.
function ticking(socket, tick) {
  const timer = setInterval(tick, 100);
  socket.on('close', () => clearInterval(timer));
}

// Pusher Channels protocol, version 7.
exports.pusher = (server) => {
  new WebSocketServer({ server }).on('connection', (socket, req) => {
    const send = (event, channel, data) => socket.send(JSON.stringify({ event, channel, data: JSON.stringify(data) }));
    if (!req.url.startsWith('/app/the-app-key?')) return socket.close(4001, 'no such app');
    send('pusher:connection_established', undefined, { socket_id: '1.1', activity_timeout: 120 });
    socket.on('message', (message) => {
      const { event, data } = JSON.parse(message);
      if (event === 'pusher:ping') send('pusher:pong', undefined, {});
      if (event !== 'pusher:subscribe') return;
      send('pusher_internal:subscription_succeeded', data.channel, {});
      ticking(socket, () => send('tick', data.channel, { on: data.channel }));
    });
  });
};

// Phoenix channels, serializer 2.0.0, by WebSocket and by long polling.
exports.phoenix = (server) => {
  const answer = ([join, ref, topic, event, payload], send) => {
    const reply = (response) => send([join, ref, topic, 'phx_reply', { status: 'ok', response }]);
    if (event !== 'phx_join') return reply(payload);
    reply({ joined: topic });
    return () => send([join, null, topic, 'tick', {}]);
  };
  const wss = new WebSocketServer({ server, path: '/socket/websocket' });
  wss.on('connection', (socket) =>
    socket.on('message', (message) => {
      const tick = answer(JSON.parse(message), (m) => socket.send(JSON.stringify(m)));
      if (tick) ticking(socket, tick);
    }),
  );
  const waiting = []; // messages for the one client that polls
  server.on('request', (req, res) => {
    const url = new URL(req.url, 'http://phoenix');
    const json = (body) => res.end(JSON.stringify(body));
    res.setHeader('Content-Type', 'application/json');
    if (url.pathname !== '/socket/longpoll') return json({ status: 404 });
    if (req.method === 'GET') {
      if (!url.searchParams.get('token')) return json({ status: 410, token: 'a-token', messages: [] });
      const messages = waiting.splice(0);
      return json({ status: messages.length ? 200 : 204, token: 'a-token', messages });
    }
    let body = '';
    req.on('data', (chunk) => (body += chunk));
    req.on('end', () => {
      for (const line of req.headers['content-type'] === 'application/x-ndjson' ? body.split('\n') : [body]) {
        answer(JSON.parse(line), (m) => waiting.push(JSON.stringify(m)));
      }
      json({ status: 200 });
    });
  });
};

// Centrifugo's bidirectional protocol in JSON.
exports.centrifuge = (server) => {
  new WebSocketServer({ server, path: '/connection/websocket' }).on('connection', (socket) => {
    const send = (reply) => socket.send(JSON.stringify(reply));
    socket.on('message', (lines) => {
      for (const line of lines.toString().split('\n').filter(Boolean)) {
        const { id, connect, subscribe, rpc } = JSON.parse(line);
        if (connect) send({ id, connect: { client: 'c1', version: 'small', ping: 25, pong: true } });
        if (rpc) send({ id, rpc: { data: rpc.data } });
        if (subscribe) {
          send({ id, subscribe: {} });
          ticking(socket, () => send({ push: { channel: subscribe.channel, pub: { data: 'tick' } } }));
        }
      }
    });
  });
};

// STOMP 1.2.
exports.stomp = (server) => {
  const handleProtocols = (offered) => offered.has('v12.stomp') && 'v12.stomp';
  new WebSocketServer({ server, handleProtocols }).on('connection', (socket) =>
    socket.on('message', (message) => {
      const [command, ...lines] = message.toString().split('\n\n')[0].split('\n');
      const headers = Object.fromEntries(lines.map((line) => line.split(/:(.*)/)));
      if (command === 'CONNECT') socket.send('CONNECTED\nversion:1.2\nheart-beat:0,0\n\n\0');
      if (command === 'DISCONNECT') socket.send(`RECEIPT\nreceipt-id:${headers.receipt}\n\n\0`);
      if (command === 'SUBSCRIBE') {
        const { id, destination } = headers;
        let n = 0;
        ticking(socket, () => socket.send(`MESSAGE\nsubscription:${id}\nmessage-id:${++n}\ndestination:${destination}\n\ntick\0`));
      }
    }),
  );
};

// A server without a protocol above WebSocket: it ticks, and echoes what it gets.
exports.plain = (server) => {
  new WebSocketServer({ server }).on('connection', (socket) => {
    ticking(socket, () => socket.send('tick'));
    socket.on('message', (message) => socket.send(`echo ${message}`));
  });
  server.on('request', (req, res) => {
    const { pathname, searchParams } = new URL(req.url, 'http://plain');
    if (pathname === '/events') {
      // An event stream (HTML standard, section 9.2) that ends after each event.
      res.setHeader('Content-Type', 'text/event-stream');
      const id = Number(searchParams.get('lastEventId') ?? 0) + 1; // as the polyfill asks for it
      return res.end(`retry: 50\nid: ${id}\ndata: event ${id}\n\n`);
    }
    if (pathname === '/redirect') return res.writeHead(302, { Location: '/moved?here=1' }).end();
    if (pathname === '/login') return res.writeHead(204, { 'Set-Cookie': 'sid=1; Path=/; HttpOnly' }).end();
    let body = '';
    req.on('data', (chunk) => (body += chunk));
    req.on('end', () => {
      res.setHeader('Content-Type', 'application/json');
      const { authorization = '', cookie = '', origin = '' } = req.headers;
      res.end(JSON.stringify({ method: req.method, url: req.url, body, authorization, cookie, origin }));
    });
  });
};
