import type { Texts } from '../texts.ts';

export const en: Texts = {
  notices: {
    working: () => '🤔 Processing your request...',
    busy: () =>
      "⏳ I'm currently helping someone else in this room. Your request will be processed shortly...",
    takes_longer: () => '⏳ This takes longer than usual. Your message keeps its place, I will get to it.',
    overloaded: () => "⚠️ Sorry, I'm overloaded right now. Please try again in a few minutes.",
    timed_out: () => '⏱️ I ran out of time on this one. Ask me to go on, or ask for a smaller part of it.',
    connection_trouble: ({ reference }) =>
      `⚠️ Sorry, I have connection trouble right now. Please try again later.${
        reference === undefined ? '' : ` (Reference: ${reference})`
      }`,
    budget_reached: () => '🛑 I stopped here: the budget is used up. Please try again later.',
    step_limit: () =>
      '🛑 I stopped here: one answer may take only so many steps. Ask me to go on, or ask for a smaller part of it.',
    fresh_start: () => 'ℹ️ I lost the memory of our earlier conversation, so we start afresh.',
    stopped: () => '⏹️ Stopped.',
    help: ({ botName }) =>
      `👋 I am ${botName ?? 'a bot'}. Mention me together with your question and I answer here; in a direct conversation just write.`,
    nothing_to_say: () => 'I have nothing to say to that. Try to ask in other words.',
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
