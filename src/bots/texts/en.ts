import { toDollars, toDuration } from '../amounts.ts';
import type { Who } from '../commands.ts';
import type { StatusFacts, Texts } from '../texts.ts';

export const en: Texts = {
  notices: {
    working: () => '🤔 Processing your request...',
    busy: ({ rejected }) =>
      rejected
        ? "⏳ I'm still busy with an earlier message and did not take this one. Please write again when I have answered."
        : "⏳ I'm currently helping someone else in this room. Your request will be processed shortly...",
    takes_longer: () => '⏳ This takes longer than usual. Your message keeps its place, I will get to it.',
    overloaded: () => "⚠️ Sorry, I'm overloaded right now. Please try again in a few minutes.",
    timed_out: () => '⏱️ I ran out of time on this one. Ask me to go on, or ask for a smaller part of it.',
    connection_trouble: ({ reference }) =>
      `⚠️ Sorry, I have connection trouble right now. Please try again later.${
        reference === undefined ? '' : ` (Reference: ${reference})`
      }`,
    budget_reached: ({ budget }) => BUDGETS[budget ?? 'turn'],
    step_limit: () =>
      '🛑 I stopped here: one answer may take only so many steps. Ask me to go on, or ask for a smaller part of it.',
    fresh_start: () => 'ℹ️ I lost the memory of our earlier conversation, so we start afresh.',
    stopped: () => '⏹️ Stopped.',
    help: ({ botName }) =>
      `👋 I am ${botName ?? 'a bot'}. Mention me together with your question and I answer here; in a direct conversation just write.`,
    nothing_to_say: () => 'I have nothing to say to that. Try to ask in other words.',
  },
  commands: {
    status: statusText,
    stopped: ({ dropped }) => `⏹️ Stopped.${droppedText(dropped)}`,
    stopping: ({ dropped }) => `⏹️ I am stopping; it takes a moment.${droppedText(dropped)}`,
    nothing_to_stop: () => 'There is nothing to stop.',
    forgotten: () => '🧹 I have forgotten this conversation. We start afresh.',
    forgetting: () => '🧹 I am forgetting this conversation; it takes a moment. Then we start afresh.',
    compacting: () => '🗜️ I am shortening what I remember of this conversation; it goes on from there.',
    nothing_to_compact: () => 'There is nothing to shorten yet.',
    model: ({ model, models }) =>
      `I use ${modelText(model)}.${
        models.length === 0 ? '' : ` \`/model NAME\` changes that until \`/reset\`: ${listText(models)}.`
      }`,
    model_set: ({ model }) => `From the next message on I use \`${model}\`, until \`/reset\`.`,
    no_such_model: ({ models }) =>
      models.length === 0
        ? 'I have no other model to choose from.'
        : `I cannot use that model. There are: ${listText(models)}.`,
    refused: ({ command, who }) => `🔒 \`/${command}\` ${whoText(who)}.`,
    late: ({ command }) =>
      `I was away when you wrote \`/${command}\` and did nothing. Please write it again if you still mean it.`,
  },
  promptWords: {
    current_date: "the date in the message's header",
    current_datetime: "the date and time in the message's header",
    user_name: "the person named in the message's header",
    room_name: "the room named in the message's header",
  },
  defaultPrompt: ({ botName, description }) =>
    `You are ${botName}, a member of a team's chat. ${description === '' ? '' : `${description} `}Answer helpfully, plainly and briefly, in the language of the person who writes to you. Say so when you do not know something.`,
};

const BUDGETS = {
  turn: '🛑 I stopped here: the budget for one answer is used up. Ask for a smaller part of it.',
  session: '🛑 The budget of this conversation is used up. `/reset` starts a new one.',
  day: '🛑 Your budget for today is used up. Please try again tomorrow.',
};

function statusText(status: StatusFacts): string {
  const { session, runningMs, waiting, maxSessionCostUsd: most, maxUserDayCostUsd: mostToday } = status;
  const running =
    runningMs === null ? 'nothing runs' : `I have been answering for ${durationText(runningMs)}`;
  const waits = waiting === 0 ? '' : `, ${count(waiting, 'message waits', 'messages wait')}`;
  const memory =
    session === null
      ? 'none, the next message starts afresh'
      : `${count(session.turnCount, 'answer', 'answers')} in ${durationText(session.ageMs)}${status.isLive ? ', ready at once' : ''}`;
  const spent = `${toDollars(session?.costUsd ?? 0)}${limitText(most)} in this conversation`;
  return [
    `- Model: ${modelText(status.model)}`,
    `- Now: ${running}${waits}`,
    `- Memory: ${memory}`,
    `- Cost: ${spent}, ${toDollars(status.todayUsd)}${limitText(mostToday)} by you today`,
  ].join('\n');
}

function droppedText(dropped: number): string {
  if (dropped === 0) return '';
  return ` ${count(dropped, 'message that waited is', 'messages that waited are')} dropped too.`;
}

function whoText(who: Who): string {
  const people = [
    ...(who.author ? ['whoever I answered last'] : []),
    ...(who.administrators ? ['administrators'] : []),
    ...(who.users.size > 0 ? ['the people whom my bot file names'] : []),
  ];
  return people.length === 0 ? 'is switched off' : `is only for ${people.join(' and ')}`;
}

function durationText(ms: number): string {
  const [amount, unit] = toDuration(ms);
  return `${amount} ${amount === 1 ? unit.slice(0, -1) : unit}`;
}

function limitText(usd: number | null): string {
  return usd === null ? '' : ` of ${toDollars(usd)}`;
}

function modelText(model: string | null): string {
  return model === null ? 'the default model' : `\`${model}\``;
}

function listText(models: readonly string[]): string {
  return models.map((model) => `\`${model}\``).join(', ');
}

function count(amount: number, one: string, several: string): string {
  return `${amount} ${amount === 1 ? one : several}`;
}
