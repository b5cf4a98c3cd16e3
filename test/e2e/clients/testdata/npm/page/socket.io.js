const names = [];
await new Promise((resolve, reject) => {
  socket.on('connect_error', reject);
  socket.once('connect', () => {
    names.push(socket.io.engine.transport.name);
    socket.io.engine.once('upgrade', (transport) => resolve(names.push(transport.name)));
  });
});
const sum = await socket.emitWithAck('add', 19, 23);
const reversed = Buffer.from(await socket.emitWithAck('reverse', Buffer.from('farwire'))).toString();
const again = new Promise((resolve) => socket.once('connect', resolve));
socket.emit('lose');
await again;
const after = await socket.emitWithAck('add', 1, 2);
socket.disconnect();
return [names, sum, reversed, after];
