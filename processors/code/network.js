// Loaded before a JavaScript program that may use the network, in its own process: node knows nothing of proxies.
//
//     node --require network.js ...
//
// `fetch` and `https` go through the CONNECT of PITCHEY_PROXY; the host decides what it lets through, whatever happens in
// here. What the proxy says when it refuses becomes the error. Servers of the program's own, on loopback, are asked directly.
"use strict";

const http = require("node:http");
const https = require("node:https");
const tls = require("node:tls");

const UNDICI = "/usr/share/nodejs/undici"; // node's own, as Debian ships it
const proxy = new URL(process.env.PITCHEY_PROXY);
const isHere = (host) => !host || /^(localhost|127\.[0-9.]+|\[?::1\]?)$/.test(host);

// The prototypes are the program's to change, and agents that libraries make are its instances.
const connectPlain = http.Agent.prototype.createConnection;
const connectSecure = https.Agent.prototype.createConnection;

function tunnel(host, port, callback) {
  const target = `${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${port}`;
  const request = http.request({
    host: proxy.hostname, port: proxy.port, method: "CONNECT", path: target, headers: { Host: target }, agent: false,
  });
  request.once("connect", (response, socket) => {
    if (response.statusCode === 200) return callback(null, socket);
    socket.destroy();
    callback(new Error(`${response.statusCode} ${response.statusMessage}`));
  });
  request.once("error", callback);
  request.end();
}

https.Agent.prototype.createConnection = function createConnection(options, callback) {
  if (options.socketPath || isHere(options.host)) return connectSecure.call(this, options, callback);
  tunnel(options.host, options.port || 443, (error, socket) => {
    if (error) return callback(error);
    callback(null, connectSecure.call(this, { ...options, socket, host: undefined, path: undefined }));
  });
};

http.Agent.prototype.createConnection = function createConnection(options, callback) {
  if (options.socketPath || isHere(options.host)) return connectPlain.call(this, options, callback);
  process.nextTick(callback, new Error(`${options.host}: programs reach the network by HTTPS only`));
};

function connectForFetch(options, callback) {
  const host = options.hostname.replace(/^\[|\]$/g, "");
  const isSecure = options.protocol === "https:";
  const port = options.port || (isSecure ? 443 : 80);
  const servername = options.servername || (require("node:net").isIP(host) ? undefined : host);
  const secure = (socket) => {
    const connection = tls.connect({ socket, servername, ...(socket ? {} : { host, port }), ALPNProtocols: ["http/1.1"] });
    connection.once("secureConnect", () => { connection.off("error", callback); callback(null, connection); });
    connection.once("error", callback);
  };
  if (isHere(host)) {
    if (isSecure) return secure();
    const socket = require("node:net").connect(port, host);
    socket.once("connect", () => { socket.off("error", callback); callback(null, socket); });
    return socket.once("error", callback);
  }
  if (!isSecure) return process.nextTick(callback, new Error(`${host}: programs reach the network by HTTPS only`));
  tunnel(host, port, (error, socket) => (error ? callback(error) : secure(socket)));
}

// Only who asks for it pays for it: this loads some hundred kilobytes of JavaScript.
const fetchDirectly = globalThis.fetch;
let isReady = false;
globalThis.fetch = function fetch(...request) {
  if (!isReady) {
    const { Agent, setGlobalDispatcher } = require(UNDICI);
    setGlobalDispatcher(new Agent({ connect: connectForFetch }));
    isReady = true;
  }
  return fetchDirectly.apply(this, request);
};
