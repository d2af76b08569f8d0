// An nginx that serves a folder, to compare with.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';

import { freePort, temporaryFolder, waitFor } from '../harness.mjs';

const isRoot = process.getuid() === 0;
const kinds = ['client_body', 'fastcgi', 'proxy', 'scgi', 'uwsgi'];

// Returns get(target, {method, headers}) → {status, headers, body}. `server`: lines of the server.
export async function nginx(t, root, server = '') {
  const folder = temporaryFolder();
  const port = await freePort();
  const config = path.join(folder, 'nginx.conf');
  for (const kind of kinds) mkdirSync(path.join(folder, kind));
  writeFileSync(config, `
${isRoot ? 'user root;' : ''}
daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events { worker_connections 64; }
http {
  access_log off; include /etc/nginx/mime.types;
  ${kinds.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join(' ')}
  server { listen 127.0.0.1:${port}; root ${root}; ${server} }
}
`);
  const child = spawn('/usr/sbin/nginx', ['-c', config], { stdio: 'ignore' });
  t.after(async () => {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
  });
  const get = (target, { method = 'GET', headers = {} } = {}) =>
    new Promise((resolve, reject) => {
      const fields = { Host: 'localhost', ...headers };
      const options = { port, path: target, method, agent: false, headers: fields };
      const request = http.request(options, (answer) => {
        const chunks = [];
        answer.on('data', (chunk) => chunks.push(chunk));
        answer.on('end', () => resolve({
          status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks),
        }));
      });
      request.on('error', reject);
      request.end();
    });
  await waitFor('nginx', () => get('/').catch(() => false));
  return get;
}
