// A TLS peer of Node: answers HTTP requests of clients with a certificate, or makes one request itself. It takes the same
// arguments as the peers for Python and Go beside it.

const fs = require('node:fs')
const https = require('node:https')
const { parseArgs } = require('node:util')

const { values, positionals } = parseArgs({
  args: process.argv.slice(2).map((word) => word.replace(/^-(\w{2,})$/, '--$1')),
  allowPositionals: true,
  options: Object.fromEntries(
    ['address', 'cert', 'key', 'ca', 'name', 'version', 'group'].map((name) => [name, { type: 'string' }]),
  ),
})
const [host, port] = values.address.split(':')
const version = `TLSv${values.version ?? '1.3'}`
const settings = {
  host,
  port: Number(port),
  ca: fs.readFileSync(values.ca),
  cert: values.cert && fs.readFileSync(values.cert),
  key: values.key && fs.readFileSync(values.key),
  minVersion: version,
  maxVersion: version,
  ecdhCurve: values.group ?? 'X25519MLKEM768',
}

if (positionals[0] === 'server') {
  const server = https.createServer({ ...settings, requestCert: true, rejectUnauthorized: true }, (_, answer) =>
    answer.end('hello'),
  )
  server.on('tlsClientError', (error) => console.error(error.code, error.message))
  server.listen(settings.port, host, () => console.log('listening'))
} else {
  const request = https.get({ ...settings, servername: values.name, agent: false, timeout: 20000 }, (answer) => {
    console.log(`HTTP/${answer.httpVersion} ${answer.statusCode}`)
    answer.resume()
  })
  request.on('error', (error) => {
    console.error(error.code, error.message)
    process.exitCode = 1
  })
}
