/** One thing that a person asks the offline model to do: `use tool <Name> with {json}`, or `… 3 times`. */
export type ToolWish = { readonly name: string; readonly input: unknown; readonly times: number };

/** More than this in one message are left undone. */
const MOST_WISHES = 50;

/** All wishes of a text, in order; `unreadable` when what stands after a “with” is no JSON. */
export function readToolWishes(text: string): readonly ToolWish[] | 'unreadable' {
  const wishes: ToolWish[] = [];
  const opening = /\buse tool (\S+)(?: with (?=\{))?/gi;
  for (let match = opening.exec(text); match !== null; match = opening.exec(text)) {
    const begin = opening.lastIndex;
    const hasInput = match[0].endsWith(' with ');
    const end = hasInput ? endOfObject(text, begin) : begin;
    const input = hasInput ? parse(text.slice(begin, end)) : {};
    if (input === undefined) return 'unreadable';
    const times = /^ (\d+) times\b/i.exec(text.slice(end))?.[1] ?? 1;
    wishes.push({ name: match[1] ?? '', input, times: Number(times) });
    if (wishes.length === MOST_WISHES) break;
    opening.lastIndex = end;
  }
  return wishes;
}

/** The wish whose turn it is after so many tool results; null when all are done. */
export function nextWish(wishes: readonly ToolWish[], done: number): ToolWish | null {
  let left = done;
  for (const wish of wishes) {
    if (left < wish.times) return wish;
    left -= wish.times;
  }
  return null;
}

/** Where the object that begins at `begin` is closed; braces in its strings do not count. */
function endOfObject(text: string, begin: number): number {
  const token = /"(?:[^"\\]|\\[\s\S])*"|[{}]/g;
  token.lastIndex = begin;
  let depth = 0;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    if (match[0] === '{') depth++;
    if (match[0] === '}') depth--;
    if (depth === 0) return token.lastIndex;
  }
  return text.length;
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
