/** Rules on what is installed: pinned exactly, from no named registry, for every machine that people use. */

export type Manifest = {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
};

export type Lock = { readonly packages: Readonly<Record<string, { readonly resolved?: string }>> };

/** Packages with a binary for each platform; each name is written as its publisher writes that platform. */
const BINARIES: readonly (readonly [prefix: string, platforms: readonly string[]])[] = [
  [
    '@anthropic-ai/claude-agent-sdk-',
    ['linux-x64', 'linux-arm64', 'linux-x64-musl', 'darwin-x64', 'darwin-arm64'],
  ],
  ['@biomejs/cli-', ['linux-x64', 'linux-arm64', 'linux-x64-musl', 'darwin-x64', 'darwin-arm64']],
  ['@typescript/typescript-', ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64']],
  [
    '@rolldown/binding-',
    ['linux-x64-gnu', 'linux-arm64-gnu', 'linux-x64-musl', 'darwin-x64', 'darwin-arm64'],
  ],
  ['lightningcss-', ['linux-x64-gnu', 'linux-arm64-gnu', 'darwin-x64', 'darwin-arm64']],
];

export function findUnpinned({ dependencies, devDependencies }: Manifest): string[] {
  return Object.entries({ ...dependencies, ...devDependencies })
    .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
    .map(([name, version]) => `${name} ${version}`);
}

export function findNamedRegistries({ packages }: Lock): string[] {
  return Object.entries(packages)
    .filter(([, { resolved }]) => resolved !== undefined)
    .map(([name]) => name);
}

export function findMissingBinaries({ packages }: Lock): string[] {
  return BINARIES.flatMap(([prefix, platforms]) =>
    platforms.map((platform) => `node_modules/${prefix}${platform}`),
  ).filter((path) => !(path in packages));
}
