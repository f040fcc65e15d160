// Gets every URL with fetch, or with http.get and https.get: node call.mjs fetch|get URL…
import http from 'node:http'
import https from 'node:https'

function get(url) {
  return new Promise((resolve, reject) => {
    const library = url.startsWith('https:') ? https : http
    library
      .get(url, (response) => {
        response.resume()
        response.once('end', () => resolve({ status: response.statusCode }))
      })
      .once('error', reject)
  })
}

const [, , how, ...urls] = process.argv
for (const url of urls) {
  console.log((await (how === 'fetch' ? fetch(url) : get(url))).status)
}
process.exit(0) // what is kept alive would hold it for seconds
