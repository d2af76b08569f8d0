// A real Laravel (Debian's php-laravel-framework) under `php:`, laid out and deployed as they are:
// releases behind a symlink, public/storage, built assets.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, renameSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { portero, temporaryFolder, waitFor } from './harness.mjs';
import { fpm } from './lib/fpm.mjs';

const skeleton = fileURLToPath(new URL('laravel', import.meta.url));
const laravel = '/usr/share/php/Illuminate/Foundation';
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

// A release, and the symlink that names it, as deployment tools make them.
function deploy(home, name) {
  const release = path.join(home, 'releases', name);
  cpSync(skeleton, release, { recursive: true });
  const folders = ['bootstrap/cache', 'storage/framework/sessions', 'storage/framework/views'];
  for (const folder of folders) {
    mkdirSync(path.join(release, folder), { recursive: true });
  }
  symlinkSync(path.join(release, 'storage/app/public'), path.join(release, 'public/storage'));
  symlinkSync(release, path.join(home, 'next'));
  renameSync(path.join(home, 'next'), path.join(home, 'current'));
}

test('php: a Laravel', async (t) => {
  assert.ok(existsSync(laravel), 'packaging/deps.sh test installs php-laravel-framework');
  const home = temporaryFolder();
  deploy(home, '1');
  const server = await fpm(t, { lines: ['catch_workers_output = no'] });
  const edge = await portero(t, `
sites:
  localhost:
    root: ${home}/current/public
    encode: true
    limits: {body: 20MB}
    php: "${server.address}"
`);
  const text = async (target, options) => {
    const answer = await edge.get(target, options);
    return `${answer.status} ${answer.text}`;
  };

  await t.test('pages, sessions, redirects', async () => {
    assert.equal(await text('/'), '200 home https://localhost/somewhere');
    const first = await edge.get('/visits');
    assert.deepEqual(first.json, { visits: 1 });
    const Cookie = first.headers['set-cookie'].map((cookie) => cookie.split(';')[0]).join('; ');
    assert.deepEqual((await edge.get('/visits', { headers: { Cookie } })).json, { visits: 2 });
    const away = await edge.get('/go');
    assert.equal(away.status, 302);
    assert.match(away.headers.location, /^https:\/\/localhost\/visits$/);
    const { json } = await edge.get('/request?x=1');
    assert.deepEqual([json.ip, json.secure], ['127.0.0.1', true]);
    assert.equal(json.url, 'https://localhost/request?x=1');
  });
  await t.test('a form with a file, and bodies of unknown length', async () => {
    const photo = randomBytes(8_000_000);
    const form = new FormData();
    form.append('note', 'ñandú');
    form.append('photo', new Blob([photo]), 'p.png');
    const request = new Request('http://x/', { method: 'POST', body: form });
    const body = Buffer.from(await request.arrayBuffer());
    const headers = { 'Content-Type': request.headers.get('content-type') };
    const seen = (await edge.get('/photos/7', { method: 'POST', body, headers })).json;
    assert.deepEqual(seen, { id: '7', note: 'ñandú', photo: sha256(photo) });
    const chunks = Readable.from([photo.subarray(0, 10), photo.subarray(10)]);
    assert.equal(await text('/raw', { method: 'PUT', body: chunks }), `200 ${sha256(photo)}`);
    const wire = await edge.wire({ tls: true });
    wire.write('PUT /raw HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20000001\r\n\r\n');
    assert.equal((await wire.head()).status, 413);
  });
  await t.test('assets, uploads behind public/storage, downloads, long answers', async () => {
    assert.equal(await text('/build/app.1a2b.css'), '200 body{}\n');
    assert.equal(await text('/storage/avatar.txt'), '200 picture\n');
    const { headers } = await edge.get('/storage/avatar.txt');
    const again = { 'If-None-Match': headers.etag };
    assert.equal((await edge.get('/storage/avatar.txt', { headers: again })).status, 304);
    const part = await edge.get('/storage/avatar.txt', { headers: { Range: 'bytes=0-2' } });
    assert.deepEqual([part.status, part.text], [206, 'pic']);
    const report = await edge.get('/download');
    assert.equal(report.text, 'a report\n');
    assert.match(report.headers['content-disposition'], /report\.txt/);
    assert.equal((await edge.get('/stream')).body.length, 3_000_000);
    const packed = await edge.get('/stream', { headers: { 'Accept-Encoding': 'gzip' } });
    assert.equal(packed.headers['content-encoding'], 'gzip');
  });
  await t.test('errors are the application’s own, and what it logs is in the log', async () => {
    assert.match(await text('/forbidden'), /^403 [^]*Forbidden/);
    assert.match(await text('/nothing/here'), /^404 [^]*Not Found/);
    assert.match(await text('/broken'), /^500 /);
    await waitFor('the exception', () => edge.stderr.includes('broken on purpose'));
  });
  await t.test('what must not be seen, and WordPress-like scans', async () => {
    for (const target of ['/.env', '/.git/config', '/../.env', '/storage/../.env', '/%2e%2e/.env',
      '/..%2f.env', '/storage/.env', '/index.php/../../.env']) {
      assert.match(await text(target), /^40[04] /, target);
      assert.doesNotMatch(await text(target), /APP_KEY/, target);
    }
    for (const target of ['/wp-login.php', '/wp-admin/', '/xmlrpc.php', '/robots.txt/x.php']) {
      assert.match(await text(target), /^404 [^]*Not Found/, target);
    }
  });
  await t.test('a new release counts at once', async () => {
    deploy(home, '2');
    const { json } = await edge.get('/release');
    assert.equal(json.path, path.join(home, 'releases/2'));
  });
});
