// An Express host that compresses and proxies to the gateway: express.cjs UPSTREAM
const express = require('express');
const compression = require('compression');
const { createProxyServer } = require('http-proxy');

const app = express();
app.use(compression());
const proxy = createProxyServer({ target: process.argv[2] });
app.use((req, res) => proxy.web(req, res));
const server = app.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
