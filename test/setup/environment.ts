/** What a machine may have set and no test may see: credentials, endpoints, proxies, and our own variables. */
const FORBIDDEN = [
  /^ANTHROPIC_/,
  /^CLAUDE/,
  /^(https?|all|no|ftp)_proxy$/i,
  /^FIREKEEPER_/,
  // Postgres's own, which would stand in for what an address leaves out.
  /^PG[A-Z]+$/,
  /^(HOST|PORT|PUBLIC_URL|DATA_DIR|DATABASE_URL|REDIS_URL|BOTS_DIRS|WEBHOOK_TOKEN|ADMIN_TOKEN|TIME_ZONE|LOG_LEVEL)$/,
  /^(BOT_KEY|CAMPFIRE_|SESSION_|OFFLINE_MODEL|DEFAULT_MODEL|FALLBACK_MODEL)/,
];

/** Deletes them from `env`; every process of the run inherits the rest. */
export function forgetMachine(env: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(env)) {
    if (FORBIDDEN.some((pattern) => pattern.test(name))) delete env[name];
  }
}
