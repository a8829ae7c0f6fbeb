import manifest from '../package.json' with { type: 'json' };

/** The server's version, from the one place that says it. */
export const VERSION: string = manifest.version;
