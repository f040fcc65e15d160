// Makes Node.js before 22.21 and 24.5 go through HTTP_PROXY: NODE_OPTIONS="--require …/node_proxy.cjs".
//
// Newer ones do so by themselves (NODE_USE_ENV_PROXY=1). Here http.request, https.request and fetch are led to
// the proxy with what Node.js itself has. An agent that makes its connections in a way of its own is left alone,
// and so is a dispatcher that the program has set. `clientcreds run` and `clientcreds env` set this up.
'use strict'

if (process.allowedNodeEnvironmentFlags.has('--use-env-proxy')) return

const http = require('node:http')
const https = require('node:https')
const net = require('node:net')
const tls = require('node:tls')

const environment = (name) => process.env[name] || process.env[name.toUpperCase()]
const proxies = { 'http:': environment('http_proxy'), 'https:': environment('https_proxy') }
const hidden = (environment('no_proxy') || '').toLowerCase().split(/[\s,]+/).filter(Boolean)

function proxyFor(protocol, host, port) {
  const name = host.toLowerCase().replace(/^\[|\]$/g, '')
  const isHidden = hidden.some((entry) => {
    const [, bare, only] = /^(.*?)(?::(\d+))?$/.exec(entry.replace(/^\[(.*)\]/, '$1'))
    const wanted = net.isIPv6(entry) ? entry : bare.replace(/^\*?\./, '')
    if (only && !net.isIPv6(entry) && only !== String(port)) return false
    return wanted === '*' || name === wanted || name.endsWith(`.${wanted}`)
  })
  return isHidden || !proxies[protocol] ? undefined : new URL(proxies[protocol])
}

function credentials(proxy) {
  if (!proxy.username) return {}
  const pair = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`
  return { 'Proxy-Authorization': `Basic ${Buffer.from(pair).toString('base64')}` }
}

const connectTo = (proxy) => net.connect({ host: proxy.hostname.replace(/^\[|\]$/g, ''), port: proxy.port || 80 })

function tunnel(proxy, host, port, done) {
  const authority = `${net.isIPv6(host) ? `[${host}]` : host}:${port}`
  const request = http.request({
    method: 'CONNECT',
    path: authority,
    headers: { Host: authority, 'User-Agent': `node/${process.versions.node}`, ...credentials(proxy) },
    createConnection: () => connectTo(proxy), // without an agent, ours included
  })
  request.once('error', done)
  request.once('connect', (response, socket) => {
    request.off('error', done)
    if (response.statusCode === 200) return done(null, socket)
    socket.destroy()
    done(new Error(`the proxy answered CONNECT ${authority} with ${response.statusCode} ${response.statusMessage}`))
  })
  request.end()
}

// --- http.request and https.request: every request passes through its agent's addRequest -------------------

const { addRequest, createSocket, createConnection } = http.Agent.prototype
const createTlsConnection = https.Agent.prototype.createConnection
const isOurs = Symbol('clientcreds')

http.Agent.prototype.addRequest = function (request, options, ...rest) {
  const port = options.port || this.defaultPort || 80
  const host = options.host || 'localhost'
  const isPlain = this.protocol === 'http:' && this.createConnection === createConnection
  const proxy = isPlain && this.createSocket === createSocket && !options.socketPath && proxyFor('http:', host, port)
  if (!proxy || options[isOurs]) return addRequest.call(this, request, options, ...rest)
  const authority = (net.isIPv6(host) ? `[${host}]` : host) + (Number(port) === 80 ? '' : `:${port}`)
  const before = request.path
  if (before.startsWith('/')) request.path = `http://${authority}${before}`
  const headers = credentials(proxy)
  if (request._header) {
    // Written already, because its headers came as an array or with Expect.
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')
    const rewrite = (text) => text.replace(` ${before} HTTP/1.1\r\n`, () => ` ${request.path} HTTP/1.1\r\n${lines}`)
    request._header = rewrite(request._header)
    if (request.outputData.length) request.outputData[0].data = rewrite(request.outputData[0].data)
  } else {
    for (const [name, value] of Object.entries(headers)) request.setHeader(name, value)
  }
  const led = { ...options, host: proxy.hostname.replace(/^\[|\]$/g, ''), port: proxy.port || 80, [isOurs]: true }
  return addRequest.call(this, request, led, ...rest)
}

https.Agent.prototype.createConnection = function (options, done) {
  const port = options.port || 443
  const proxy = options.socketPath || options.socket ? undefined : proxyFor('https:', options.host || 'localhost', port)
  if (!proxy) return createTlsConnection.apply(this, arguments)
  tunnel(proxy, options.host, port, (error, socket) => {
    if (error) return done(error)
    done(null, createTlsConnection.call(this, { ...options, socket }))
  })
}

// --- fetch: its dispatcher's class is not for everybody to load, but the default dispatcher is one ----------

const fetchDirectly = globalThis.fetch
const dispatcherSymbol = Symbol.for('undici.globalDispatcher.1')
let dispatcher

function connector(options, done) {
  const { hostname, servername, protocol } = options
  const host = hostname.replace(/^\[|\]$/g, '')
  const isTls = protocol === 'https:'
  const port = options.port || (isTls ? 443 : 80)
  const proxy = isTls && proxyFor(protocol, host, port)
  const settled = (socket, event) => {
    const fail = (error) => done(error)
    socket.once('error', fail)
    socket.once(event, () => {
      socket.off('error', fail)
      done(null, socket.setNoDelay(true))
    })
  }
  const secure = (socket) => {
    const name = servername || (net.isIP(host) ? undefined : host)
    settled(tls.connect({ host, port, socket, servername: name, ALPNProtocols: ['http/1.1'] }), 'secureConnect')
  }
  if (proxy) return tunnel(proxy, host, port, (error, socket) => (error ? done(error) : secure(socket)))
  return isTls ? secure() : settled(net.connect({ host, port }), 'connect')
}

function proxyDispatcher() {
  void globalThis.Headers // loads fetch's library, which sets the default dispatcher
  const given = globalThis[dispatcherSymbol]
  if (given?.constructor?.name !== 'Agent') return undefined // the program's own
  if (dispatcher) return dispatcher
  dispatcher = new (class extends given.constructor {
    dispatch(options, handler) {
      const origin = new URL(options.origin)
      const proxy = origin.protocol === 'http:' && proxyFor('http:', origin.hostname, origin.port || 80)
      if (!proxy) return super.dispatch(options, handler)
      const added = { host: origin.host, ...credentials(proxy) }
      const headers = Array.isArray(options.headers)
        ? [...options.headers, ...Object.entries(added).flat()]
        : { ...options.headers, ...added }
      return super.dispatch({ ...options, origin: proxy.origin, path: origin.origin + options.path, headers }, handler)
    }
  })({ connect: connector })
  return dispatcher
}

if (fetchDirectly) {
  globalThis.fetch = function fetch(input, init) {
    const ours = init?.dispatcher ? undefined : proxyDispatcher()
    return fetchDirectly(input, ours ? { ...init, dispatcher: ours } : init)
  }
}
