import { z } from 'zod';
import type { RefusalCode } from './refusals.ts';
import { toName, toText } from './text.ts';

/** What either payload shape says, cleaned. */
export type Payload = {
  readonly shape: 'campfire' | 'flat';
  readonly userId: string;
  readonly userName: string;
  readonly roomId: string;
  /** Null in a direct room. */
  readonly roomName: string | null;
  /** The bot key in `room.path`: a secret. Null where the path is missing or not Campfire's. */
  readonly key: string | null;
  /** Null: cannot be deduplicated. */
  readonly messageId: string | null;
  /** Empty when a mention had no text. */
  readonly text: string;
};

/** Opaque, but never with a control character or half a surrogate pair: ids become keys and columns. */
const opaqueId = z.union([z.int(), z.string().regex(/^[^\p{Cc}\p{Cs}]{1,200}$/u)]).transform(String);
const name = z.string().transform(toName);

const author = z.object({ id: opaqueId, name });
const room = z.object({ id: opaqueId, name: name.nullish(), path: z.string().nullish() });

/** Campfire's own shape. */
const campfireShape = z.object({
  user: author,
  room,
  message: z.object({
    id: opaqueId.nullish(),
    body: z.object({ plain: z.string(), html: z.string().nullish() }),
  }),
});

/** The flat shape of scripts and schedulers. */
const flatShape = z.object({ creator: author, room, content: z.string(), id: opaqueId.nullish() });

/** Either shape, for the API's description. */
export const webhookBody = z.union([campfireShape, flatShape]);

/** The payload, or why it is none: Campfire's shape when there is a `message`, else the flat one. */
export function parsePayload(body: unknown): Payload | RefusalCode {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return 'not_an_object';
  return 'message' in body && body.message !== null ? parseCampfire(body) : parseFlat(body);
}

function parseCampfire(body: object): Payload | RefusalCode {
  const parsed = campfireShape.safeParse(body);
  if (!parsed.success) return 'invalid_fields';
  const { user, room, message } = parsed.data;
  return withRoom(room, {
    shape: 'campfire',
    userId: user.id,
    userName: user.name,
    messageId: message.id ?? null,
    text: toText(message.body.plain, message.body.html ?? null),
  });
}

function parseFlat(body: object): Payload | RefusalCode {
  // The predecessor took `user` for `creator` as well; an explicit `creator` wins.
  const parsed = flatShape.safeParse('user' in body ? { creator: body.user, ...body } : body);
  if (!parsed.success) return 'invalid_fields';
  const { creator, room, content, id } = parsed.data;
  return withRoom(room, {
    shape: 'flat',
    userId: creator.id,
    userName: creator.name,
    messageId: id ?? null,
    text: toText(content, null),
  });
}

function withRoom(
  { id, name, path }: z.output<typeof room>,
  rest: Omit<Payload, 'roomId' | 'roomName' | 'key'>,
): Payload | RefusalCode {
  const [, pathRoom, key = null] = /^\/rooms\/([^/]{1,200})\/([^/]{1,200})\/messages$/.exec(path ?? '') ?? [];
  if (pathRoom !== undefined && pathRoom !== id) return 'room_mismatch';
  return { ...rest, roomId: id, roomName: name ?? null, key };
}
