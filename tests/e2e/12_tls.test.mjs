import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import tls from 'node:tls';

import { portero, temporaryFolder, waitFor, within } from './harness.mjs';
import { selfSigned } from './lib/certificates.mjs';

// Shakes hands and returns the socket; it ends with the test.
async function handshake(t, edge, servername, options = {}) {
  const socket = tls.connect({
    port: edge.httpsPort, host: '127.0.0.1', servername, ca: edge.ca, ...options,
  });
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  await Promise.race([
    once(socket, 'secureConnect'),
    once(socket, 'close').then(() => {
      throw new Error('the handshake was refused');
    }),
  ]);
  return socket;
}

test('tls: the internal CA', async (t) => {
  const edge = await portero(t, `
sites:
  localhost, a.test: {respond: a}
  "*.b.test": {respond: b}
`);
  const names = async (servername) =>
    (await handshake(t, edge, servername)).getPeerCertificate().subjectaltname;

  await t.test('issues for each name, and one wildcard for its labels', async () => {
    assert.match(await names('localhost'), /DNS:localhost/);
    assert.match(await names('a.test'), /DNS:a\.test/);
    assert.match(await names('x.b.test'), /DNS:\*\.b\.test/);
  });
  await t.test('issues short leaves through an intermediate', async () => {
    const leaf = (await handshake(t, edge, 'a.test')).getPeerCertificate(true);
    const days = (Date.parse(leaf.valid_to) - Date.now()) / 86_400_000;
    assert.ok(days > 0 && days < 31, `${days} days`);
    assert.notEqual(leaf.issuerCertificate.fingerprint256, leaf.fingerprint256);
    assert.notEqual(leaf.issuerCertificate.subject.CN, leaf.issuerCertificate.issuer.CN);
  });
  await t.test('keeps private keys readable for its own user only', () => {
    const files = readdirSync(edge.storage, { recursive: true }).filter((f) => !f.endsWith('.crt'));
    assert.ok(files.length > 2);
    for (const file of files) {
      assert.equal(statSync(path.join(edge.storage, file)).mode & 0o077, 0, file);
    }
  });
  await t.test('keeps its root over a restart', async () => {
    const before = edge.ca;
    await edge.stop();
    await edge.start();
    assert.equal(edge.ca, before);
  });
});

test('tls: protocols', async (t) => {
  const edge = await portero(t, 'sites:\n  localhost: {respond: x}\n');
  const protocol = async (options) =>
    (await handshake(t, edge, 'localhost', options)).getProtocol();
  const alpn = async (...protocols) =>
    (await handshake(t, edge, 'localhost', { ALPNProtocols: protocols })).alpnProtocol;

  await t.test('1.2 and 1.3, nothing older', async () => {
    assert.equal(await protocol({}), 'TLSv1.3');
    assert.equal(await protocol({ maxVersion: 'TLSv1.2' }), 'TLSv1.2');
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' };
    await assert.rejects(protocol(old));
  });
  await t.test('1.2 with forward secrecy and AEAD only', async () => {
    const only = (ciphers) => protocol({ maxVersion: 'TLSv1.2', ciphers });
    await assert.rejects(only('AES128-GCM-SHA256'));
    await assert.rejects(only('ECDHE-ECDSA-AES128-SHA'));
    assert.equal(await only('ECDHE-ECDSA-AES128-GCM-SHA256'), 'TLSv1.2');
  });
  await t.test('ALPN prefers h2, falls back to http/1.1, refuses others', async () => {
    assert.equal(await alpn('http/1.1', 'h2'), 'h2');
    assert.equal(await alpn('http/1.1'), 'http/1.1');
    await assert.rejects(alpn('ftp'));
    assert.equal((await handshake(t, edge, 'localhost')).alpnProtocol, false);
  });
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
    await t.test(`${maxVersion} sessions resume on any worker`, async (t) => {
      const first = await handshake(t, edge, 'localhost', { maxVersion });
      let session = first.getSession();
      if (maxVersion === 'TLSv1.3') {
        const ticket = once(first, 'session');
        first.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
        [session] = await within('a ticket', ticket);
      }
      for (let i = 0; i < 8; i++) {
        const again = await handshake(t, edge, 'localhost', { maxVersion, session });
        assert.equal(again.isSessionReused(), true);
      }
    });
  }
  await t.test('plain HTTP on the TLS port harms nobody', async () => {
    const wire = await edge.wire({ port: edge.httpsPort });
    wire.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await wire.rest();
    assert.equal((await edge.get('/')).text, 'x');
  });
});

const site = (name, { cert, key }) =>
  `sites:\n  ${name}: {tls: {cert: ${cert}, key: ${key}}, respond: x}\n`;

test('tls: certificate files are served, and swapped when they change', async (t) => {
  const folder = temporaryFolder();
  const first = selfSigned(folder, 'own.test', { file: 'first' });
  const second = selfSigned(folder, 'own.test', { file: 'second' });
  const served = { cert: path.join(folder, 'own.pem'), key: path.join(folder, 'own.key') };
  const install = ({ cert, key }) => {
    copyFileSync(key, served.key);
    copyFileSync(cert, served.cert);
  };
  install(first);
  const edge = await portero(t, site('own.test', served));
  const ca = [first, second].map(({ cert }) => readFileSync(cert));
  const fingerprint = async () =>
    (await handshake(t, edge, 'own.test', { ca })).getPeerCertificate().fingerprint256;
  const before = await fingerprint();
  const open = await edge.wire({ host: 'own.test', tls: true, ca });
  install(second);
  await waitFor('the new certificate', async () => (await fingerprint()) !== before, 15);
  open.write('GET / HTTP/1.1\r\nHost: own.test\r\n\r\n');
  assert.equal((await open.answer()).text, 'x', 'an open connection goes on');
});

test('tls: a certificate that cannot be read or does not fit its key starts nothing', async (t) => {
  const folder = temporaryFolder();
  const a = selfSigned(folder, 'a.test', { file: 'a' });
  const b = selfSigned(folder, 'b.test', { file: 'b' });
  for (const [cert, key] of [[a.cert, b.key], ['/nonexistent.pem', a.key]]) {
    await assert.rejects(portero(t, site('a.test', { cert, key })), /ended at start: {"code":1/);
  }
});
