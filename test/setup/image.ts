/** What the Dockerfile says, as far as it can be known without Docker. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './root.ts';

export const readRoot = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

export type Image = {
  /** What is copied out of the checkout, by any stage. */
  readonly copied: readonly string[];
  /** The same, by the last stage. */
  readonly files: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly user: string;
  readonly healthcheck: readonly string[];
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
};

export function readImage(): Image {
  const lines = readRoot('Dockerfile')
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n\s*/g, ' ')
    .split('\n')
    .map((line) => line.trim());
  const last = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')));
  const one = (start: string): string => {
    const line = last.find((candidate) => candidate.startsWith(start));
    if (line === undefined) throw new Error(`the Dockerfile has no ${start}`);
    return line.slice(start.length).trim();
  };
  return {
    copied: copiedBy(lines),
    files: copiedBy(last),
    env: Object.fromEntries(last.filter((line) => line.startsWith('ENV ')).flatMap(readEnv)),
    user: one('USER '),
    healthcheck: JSON.parse(one('HEALTHCHECK ').replace(/^.*? CMD /, '')),
    entrypoint: JSON.parse(one('ENTRYPOINT ')),
    command: JSON.parse(one('CMD ')),
  };
}

function copiedBy(lines: readonly string[]): readonly string[] {
  return lines
    .filter((line) => line.startsWith('COPY ') && !line.includes('--from'))
    .flatMap((line) => line.split(/\s+/).slice(1, -1));
}

function readEnv(line: string): readonly (readonly [string, string])[] {
  return line
    .split(/\s+/)
    .slice(1)
    .map((pair) => {
      const [name = '', ...value] = pair.split('=');
      return [name, value.join('=')] as const;
    });
}

/** Packages that `npm ci --omit=dev` installs at the top of `node_modules`. */
export function listProductionPackages(): readonly string[] {
  const { packages } = JSON.parse(readRoot('package-lock.json')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>;
  };
  return Object.entries(packages).flatMap(([path, { dev, devOptional }]) => {
    const [, name] = /^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(path) ?? [];
    return name === undefined || dev || devOptional ? [] : [name];
  });
}
