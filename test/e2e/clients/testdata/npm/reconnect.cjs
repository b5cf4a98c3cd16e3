// Unmodified clients that say when data come and how their connection was closed. The
// process ends with 0 when all of them have come back by themselves, and with 1 when
// one of them takes a close for final. Arguments: the gateway's address, or "none" where
// nothing is in between, the key, the addresses of the servers as JSON.
const WebSocket = require('ws');
globalThis.WebSocket = WebSocket;

const [, , gateway, key, json] = process.argv;
const servers = JSON.parse(json);
const through = gateway !== 'none';
const path = (scheme, server, rest) =>
  through ? `${scheme}://${gateway}/to/key=${key}/${scheme}/${servers[server]}${rest}` : `${scheme}://${servers[server]}${rest}`;

const clients = {
  // The direct form.
  'graphql-ws': ({ connected, data, closed, final }) => {
    const { createClient } = require('graphql-ws');
    const server = `ws://${servers.graphql}/graphql`;
    const client = createClient({
      url: through ? `ws://${gateway}/ws?api_key=${key}&url=${encodeURIComponent(server)}` : server,
      webSocketImpl: WebSocket,
      on: { connected, closed: (event) => closed(event.code) },
    });
    client.subscribe({ query: 'subscription { tick }' }, {
      next: data,
      error: (err) => final(err.code ?? err.message),
      complete: () => final('complete'),
    });
  },
  'socket.io by WebSocket': ({ connected, data, closed, final }) => {
    const { io } = require('socket.io-client');
    const relayed = { path: '/ws', query: { url: `ws://${servers.socketio}/socket.io/`, api_key: key } };
    const socket = io(`ws://${through ? gateway : servers.socketio}`, { ...(through && relayed), transports: ['websocket'] });
    socket.on('connect', connected);
    socket.on('tick', data);
    socket.on('disconnect', (reason) => (reason === 'io server disconnect' ? final : closed)(reason));
  },
  // The path form.
  'socket.io': ({ connected, data, closed, final }) => {
    const { io } = require('socket.io-client');
    const socket = io(`http://${through ? gateway : servers.socketio}`, { path: new URL(path('http', 'socketio', '/socket.io/')).pathname });
    socket.on('connect', connected);
    socket.on('tick', () => socket.io.engine.transport.name === 'websocket' && data());
    socket.on('disconnect', (reason) => (reason === 'io server disconnect' ? final : closed)(reason));
  },
  signalr: ({ connected, data, closed, final }) => {
    const { HubConnectionBuilder, LogLevel } = require('@microsoft/signalr');
    const connection = new HubConnectionBuilder()
      .withUrl(path('http', 'signalr', '/hub'))
      .withAutomaticReconnect([100, 300, 1000, 2000, 2000, 2000])
      .configureLogging(LogLevel.None)
      .build();
    connection.on('tick', data);
    connection.onreconnecting((err) => closed(/status code: (\d+)/.exec(err.message)?.[1] ?? err.message));
    connection.onreconnected(connected);
    connection.onclose((err) => final(err?.message));
    connected();
    connection.start();
  },
  centrifuge: ({ connected, data, closed, final }) => {
    const { Centrifuge } = require('centrifuge');
    const centrifuge = new Centrifuge(path('ws', 'centrifuge', '/connection/websocket'));
    centrifuge.on('connected', connected);
    centrifuge.on('connecting', ({ code, reason }) => closed(`${code} ${reason}`));
    centrifuge.on('disconnected', ({ code, reason }) => final(`${code} ${reason}`));
    const subscription = centrifuge.newSubscription('ticks');
    subscription.on('publication', data);
    subscription.subscribe();
    centrifuge.connect();
  },
  mqtt: ({ connected, data, closed }) => {
    const client = require('mqtt').connect(path('ws', 'mqtt', '/mqtt'));
    client.on('connect', () => {
      connected();
      client.subscribe('tick');
    });
    client.on('message', data);
    client.on('close', () => closed(''));
  },
  stompjs: ({ connected, data, closed }) => {
    const { Client } = require('@stomp/stompjs');
    const client = new Client({
      brokerURL: path('ws', 'stomp', '/stomp'),
      reconnectDelay: 300,
      onConnect: () => {
        connected();
        client.subscribe('/topic/ticks', data);
      },
      onWebSocketClose: (event) => closed(event.code),
    });
    client.activate();
  },
  phoenix: ({ connected, data, closed }) => {
    const { Socket } = require('phoenix');
    const socket = new Socket(path('ws', 'phoenix', '/socket'));
    socket.onOpen(connected);
    socket.onClose((event) => closed(event.code));
    socket.connect();
    const channel = socket.channel('room:1');
    channel.on('tick', data);
    channel.join();
  },
  'pusher-js': ({ connected, data, closed, final }) => {
    const [wsHost, wsPort] = (through ? gateway : servers.pusher).split(':');
    const wsPath = through ? `/to/key=${key}/ws/${servers.pusher}` : '';
    const Pusher = require('pusher-js');
    const pusher = new Pusher('the-app-key', { cluster: '', wsHost, wsPort, wsPath, forceTLS: false, enabledTransports: ['ws'] });
    pusher.connection.bind('connected', connected);
    pusher.connection.bind('connecting', () => closed(''));
    pusher.connection.bind('failed', () => final('failed'));
    pusher.subscribe('news').bind('tick', data);
  },
  'reconnecting-websocket': ({ connected, data, closed }) => {
    const ReconnectingWebSocket = require('reconnecting-websocket');
    const socket = new ReconnectingWebSocket(path('ws', 'plain', '/'), [], { minReconnectionDelay: 100 });
    socket.onopen = connected;
    socket.onmessage = data;
    socket.onclose = (event) => closed(event.code);
  },
};

const away = new Set(Object.keys(clients)); // those that have not come back
let first = away.size;
for (const [name, start] of Object.entries(clients)) {
  let connection = 0;
  let told = 0;
  start({
    connected: () => connection++,
    data: () => {
      if (connection <= told) return;
      told = connection;
      console.log(name, connection === 1 ? 'has data' : 'came back');
      if (connection === 1 && --first === 0) console.log('all have data');
      if (connection < 2) return;
      away.delete(name);
      if (away.size > 0) return;
      console.log('all came back');
      process.exit(0);
    },
    closed: (why) => connection > 0 && console.log(name, 'closed', why),
    final: (why) => {
      console.log(name, 'takes for final', why);
      process.exit(1);
    },
  });
}
