/** A bot's key as Campfire makes them: `<its user id>-<secret>`. */
export type BotKey = { readonly secret: string; readonly userId: number };

/** The key, checked and cut to what Campfire reads of it; null for a text that can be none. */
export function parseBotKey(text: string): BotKey | null {
  const match = /^(\d{1,15})-([A-Za-z0-9_]{1,200})(?:-\S*)?$/.exec(text.trim());
  if (match === null) return null;
  return { secret: `${match[1]}-${match[2]}`, userId: Number(match[1]) };
}

/** The number of a room or user; null for anything else, so that no id ever becomes another path. */
export function parseNumber(id: string): number | null {
  return /^\d{1,15}$/.test(id) ? Number(id) : null;
}

/** Where a room's messages are posted and listed, below Campfire's base address. Holds the key: never logged. */
export function messagesPath(room: number, key: BotKey): string {
  return `/rooms/${room}/${encodeURIComponent(key.secret)}/messages`;
}
