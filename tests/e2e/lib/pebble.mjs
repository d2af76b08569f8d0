// Certificate authorities of the test's own: Let's Encrypt's Pebble with a DNS server that knows
// every name as 127.0.0.1, and a front for it that can add what Pebble lacks, or misbehave.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import tls from 'node:tls';

import { freePort, temporaryFolder, waitFor } from '../harness.mjs';
import { selfSigned } from './certificates.mjs';

const agent = new https.Agent({ keepAlive: true, rejectUnauthorized: false });

function run(t, program, args, env = {}) {
  const child = spawn(program, args, { env: { ...process.env, ...env } });
  child.text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => (child.text += data));
  }
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  });
  return child;
}

export function request(url, { method = 'GET', headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const call = https.request(url, { method, headers, agent }, (answer) => {
      const pieces = [];
      answer.on('data', (piece) => pieces.push(piece));
      answer.on('end', () => resolve({
        status: answer.statusCode, headers: answer.headers, body: Buffer.concat(pieces),
      }));
      answer.on('error', reject);
    });
    call.on('error', reject);
    call.end(body);
  });
}

export class Pebble {
  constructor(child, port, management, roots) {
    this.child = child;
    this.port = port;
    this.management = management;
    this.roots = roots; // of its HTTPS
    this.directory = `https://localhost:${port}/dir`;
  }

  // How often its log says something.
  count(text) {
    return this.child.text.split(text).length - 1;
  }

  // What it knows of a certificate.
  async standing(serial) {
    const url = `${this.management}/cert-status-by-serial/${serial.toLowerCase()}`;
    return JSON.parse((await request(url)).body);
  }

  // The root that its certificates end in, as PEM.
  async root() {
    return (await request(`${this.management}/roots/0`)).body.toString();
  }
}

// Options: ports ([http, https] of the server under test), env, eab ({kid: hmac}), dns (the name
// server it asks; without it, one of its own that knows every name as 127.0.0.1), ocsp (the
// responder's URL).
export async function pebble(t, { ports, env = {}, eab, dns: otherDns, ocsp = '' } = {}) {
  const folder = temporaryFolder();
  // Good for tests that move the clock, too.
  const { cert, key } = selfSigned(folder, 'localhost', { days: 3_650 });
  const [port, management, dns, dnsManagement] = [
    await freePort(), await freePort(), await freePort(), await freePort()];
  const file = path.join(folder, 'pebble.json');
  writeFileSync(file, JSON.stringify({
    pebble: {
      listenAddress: `127.0.0.1:${port}`,
      managementListenAddress: `127.0.0.1:${management}`,
      certificate: cert,
      privateKey: key,
      httpPort: ports[0],
      tlsPort: ports[1],
      ocspResponderURL: ocsp,
      externalAccountBindingRequired: eab !== undefined,
      externalAccountMACKeys: eab ?? {},
    },
  }));
  if (!otherDns) {
    run(t, 'pebble-challtestsrv', [
      '-dns01', `127.0.0.1:${dns}`, '-management', `127.0.0.1:${dnsManagement}`, '-http01', '',
      '-https01', '', '-tlsalpn01', '', '-defaultIPv6', '',
    ]);
  }
  const dnsServer = otherDns ?? `127.0.0.1:${dns}`;
  const child = run(t, 'pebble', ['-strict', '-config', file, '-dnsserver', dnsServer], {
    PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '30', PEBBLE_AUTHZREUSE: '0', ...env,
  });
  const authority = new Pebble(child, port, `https://localhost:${management}`, cert);
  await waitFor('pebble', () => request(authority.directory).then(() => true, () => false));
  return authority;
}

const payloadOf = (body) => {
  try {
    const { payload } = JSON.parse(body);
    return JSON.parse(Buffer.from(payload, 'base64url').toString() || 'null');
  } catch {
    return null;
  }
};

// An ACME server in front of another: passes everything on, but `intercept(call)` may answer itself
// with {status, headers, body} or 'hang'. `call` has method, path, payload, and forward(), which
// asks the other. `extra` makes what the directory has beside the other's. `oneAtATime` queues what
// goes to the other, as Pebble 2.4 takes its locks twice and stands still under many requests.
export async function acmeFront(t, behind,
  { extra = () => ({}), intercept = () => null, oneAtATime = false } = {}) {
  const folder = temporaryFolder();
  const { cert, key } = selfSigned(folder, 'localhost');
  const front = { calls: [], roots: cert, intercept, last: Promise.resolve() };
  const server = https.createServer({ cert: readFileSync(cert), key: readFileSync(key) });
  server.on('request', async (incoming, answer) => {
    const pieces = [];
    for await (const piece of incoming) pieces.push(piece);
    const body = Buffer.concat(pieces);
    const call = { method: incoming.method, path: incoming.url, payload: payloadOf(body) };
    const forward = () => request(`https://localhost:${behind.port}${incoming.url}`,
      { method: incoming.method, headers: incoming.headers, body });
    call.forward = () => {
      front.last = oneAtATime ? front.last.then(forward, forward) : forward();
      return front.last;
    };
    front.calls.push(call);
    const own = await front.intercept(call);
    if (own === 'hang') return;
    const { status, headers, body: text } = own ?? await call.forward();
    delete headers?.['content-length'];
    let out = text;
    if (!own && incoming.url === '/dir') {
      out = JSON.stringify({ ...JSON.parse(text), ...extra(front) });
    }
    answer.writeHead(status, headers).end(incoming.method === 'HEAD' ? undefined : out);
  });
  server.listen(await freePort(), '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  front.port = server.address().port;
  front.base = `https://localhost:${front.port}`;
  front.directory = `${front.base}/dir`;
  return front;
}

// The certificate that a server shows for a name.
export function shown(port, servername) {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      port, host: '127.0.0.1', ...(servername ? { servername } : {}), rejectUnauthorized: false,
    }, () => {
      const certificate = socket.getPeerCertificate(true);
      socket.destroy();
      resolve(certificate);
    });
    socket.on('error', reject);
  });
}

export const isPublic = (certificate) => /^Pebble/.test(certificate.issuer.CN ?? '');
