// The official client of OpenAI for Node: node openai_client.mjs URL MODEL CASE
// Prints one JSON object with what it got.
import OpenAI from "openai";

const [baseURL, model, name] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "unused", maxRetries: 0, timeout: 240_000 });
const greeting = [{ role: "user", content: "Say hello to Ada." }];
const question = [{ role: "user", content: "What is the weather like in Oslo today?" }];
const parameters = {
  type: "object",
  properties: { city: { type: "string", enum: ["Oslo", "Lima", "Cairo"] } },
  required: ["city"],
  additionalProperties: false,
};
const described = { name: "get_weather", description: "The weather of a city today.", parameters };
const tools = [{ type: "function", function: described }];

const cases = {
  async chat() {
    const answer = await client.chat.completions.create({ model, messages: greeting, max_tokens: 24 });
    return { text: answer.choices[0].message.content, tokens: answer.usage.completion_tokens };
  },

  async stream() {
    const stream = await client.chat.completions.create({
      model,
      messages: greeting,
      max_tokens: 24,
      stream: true,
      stream_options: { include_usage: true },
    });
    const pieces = [];
    let tokens = 0;
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta.content) pieces.push(chunk.choices[0].delta.content);
      tokens = chunk.usage?.completion_tokens ?? tokens;
    }
    return { pieces, tokens };
  },

  async tool() {
    const answer = await client.chat.completions.create({
      model,
      messages: question,
      tools,
      tool_choice: { type: "function", function: { name: "get_weather" } },
      temperature: 0,
    });
    return { call: answer.choices[0].message.tool_calls[0].function };
  },

  async tool_streamed() {
    const stream = client.chat.completions.stream({
      model,
      messages: question,
      tools,
      tool_choice: "required",
      temperature: 0,
    });
    const answer = await stream.finalChatCompletion();
    return { call: answer.choices[0].message.tool_calls[0].function };
  },

  async run_tools() {
    const asked = [];
    const getWeather = ({ city }) => {
      asked.push(city);
      return `${city}: 21 degrees, sunny.`;
    };
    const tool = { ...described, parse: JSON.parse, function: getWeather };
    const runner = client.chat.completions.runTools(
      { model, messages: question, tools: [{ type: "function", function: tool }], temperature: 0 },
      { maxChatCompletions: 4 },
    );
    return { text: await runner.finalContent(), asked };
  },

  async responses() {
    const first = await client.responses.create({ model, input: greeting, max_output_tokens: 24 });
    const stream = await client.responses.create({
      model,
      input: "Again.",
      previous_response_id: first.id,
      max_output_tokens: 24,
      stream: true,
    });
    const pieces = [];
    for await (const event of stream) {
      if (event.type === "response.output_text.delta") pieces.push(event.delta);
    }
    return { text: first.output_text, pieces };
  },

  async responses_tool() {
    const answer = await client.responses.create({
      model,
      input: question,
      tools: [{ type: "function", strict: true, ...described }],
      tool_choice: "required",
      temperature: 0,
    });
    return { call: answer.output.find((item) => item.type === "function_call") };
  },
};

console.log(JSON.stringify(await cases[name]()));
