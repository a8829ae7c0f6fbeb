/** `deploy/nginx.conf` in a real nginx, with addresses and times of the test's own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { findFreePort } from '../setup/free-port.ts';
import { findNginx } from '../setup/nginx.ts';
import { makeTempFolder } from '../setup/temp.ts';
import { waitFor } from './server.ts';

const SITE = new URL('../../deploy/nginx.conf', import.meta.url);

export type Nginx = {
  readonly port: number;
  /** Where it would listen for http and send everybody to https. */
  readonly plainPort: number;
  accessLog(): string;
  stop(): Promise<void>;
};

/** `patience`: seconds that it waits for the server's answer to a webhook. */
export async function startNginx(upstream: number, patience = 6): Promise<Nginx> {
  const folder = makeTempFolder();
  const [port, plainPort] = [await findFreePort(), await findFreePort()];
  const accessLog = join(folder, 'access.log');
  const site = adapt(readFileSync(SITE, 'utf8'), [
    [/listen 80;/, `listen 127.0.0.1:${plainPort};`],
    [/listen 443 ssl;/, `listen 127.0.0.1:${port};`],
    [/listen \[::\]:(80|443 ssl);/g, ''],
    [/ssl_certificate(_key)? .*;/g, ''],
    [/127\.0\.0\.1:5000/g, `127.0.0.1:${upstream}`],
    [/proxy_read_timeout 6s;/, `proxy_read_timeout ${patience}s;`],
    [/\/var\/log\/nginx\/firekeeper\.log/, accessLog],
  ]);
  mkdirSync(join(folder, 'temp'));
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${join(folder, 'temp', kind)};`,
  );
  const main = `
    daemon off; master_process off; pid ${join(folder, 'pid')}; error_log ${join(folder, 'error.log')};
    events {}
    http { access_log off; default_type text/html; ${temporary.join(' ')}
    ${site}
    }`;
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, main);

  const args = ['-p', folder, '-c', file, '-e', join(folder, 'error.log')];
  const child = spawn(findNginx() ?? 'no nginx was found', args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const exited = once(child, 'exit');
  await waitFor(() => isListening(port), {
    otherwise: () => readFileSync(join(folder, 'error.log'), 'utf8'),
  });
  return {
    port,
    plainPort,
    accessLog: () => readFileSync(accessLog, 'utf8'),
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

/** Every change has something to change: the file and this test go together. */
function adapt(text: string, changes: readonly (readonly [RegExp, string])[]): string {
  return changes.reduce((site, [from, to]) => {
    if (site.search(from) === -1) throw new Error(`${from} is not in deploy/nginx.conf`);
    return site.replace(from, to);
  }, text);
}

function isListening(port: number): Promise<true | null> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(null));
    socket.once('connect', () => socket.destroy());
  });
}

export type Answer = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
};

type Sent = {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** In pieces: sent without its length. */
  readonly body?: string | readonly string[];
};

/** Not `fetch`: what a proxy refuses early is answered while it is still sent. */
export function send(
  port: number,
  { path, method = 'POST', headers = {}, body = '' }: Sent,
): Promise<Answer> {
  const pieces = typeof body === 'string' ? [body] : body;
  const length = typeof body === 'string' ? { 'content-length': String(Buffer.byteLength(body)) } : {};
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: '127.0.0.1',
        port,
        path,
        method,
        agent: false,
        headers: { 'content-type': 'application/json', ...length, ...headers },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => {
          call.off('error', reject).on('error', () => {});
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text });
          call.destroy();
        });
      },
    );
    call.on('error', reject);
    for (const piece of pieces) call.write(piece);
    call.end();
  });
}

/** What is answered to bytes that are no proper request. */
export async function sendRaw(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    answer += chunk;
  });
  socket.write(bytes);
  await once(socket, 'end');
  return answer;
}
