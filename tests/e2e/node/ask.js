// Asks a service through OpenAI's client for Node, and prints what came back: node ask.js BASE_URL
import OpenAI, { toFile } from "openai";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "unused", maxRetries: 0 });
const content = Buffer.from("The mill was built in 1802.");
const file = await client.files.create({ file: await toFile(content, "mill.txt"), purpose: "user_data" });
await client.files.waitForProcessing(file.id, { pollInterval: 50 });
const asked = {
  model: "gpt-5.5",
  messages: [{ role: "user", content: "When was the mill built?" }],
  file_ids: [file.id],
};

const whole = await client.chat.completions.create(asked);
const chunks = [];
const options = { include_usage: true };
const stream = await client.chat.completions.create({ ...asked, stream: true, stream_options: options });
for await (const chunk of stream) chunks.push(chunk);
const runner = client.chat.completions.stream(asked);
const final = await runner.finalChatCompletion();

const schema = {
  type: "object",
  properties: { year: { type: "integer" } },
  required: ["year"],
  additionalProperties: false,
};
const format = { type: "json_schema", json_schema: { name: "opening", strict: true, schema } };
const structured = await client.chat.completions.parse({ ...asked, response_format: format });

const errors = [];
for (const wrong of [{ n: 2 }, { file_ids: ["file-0"] }, { max_cost_usd: "0.01" }, { file_ids: [] }]) {
  try {
    await client.chat.completions.create({ ...asked, ...wrong });
  } catch (error) {
    errors.push([error.constructor.name, error.status, error.code, error.param]);
  }
}

const models = [];
for await (const model of client.models.list()) models.push(model.id);
const listed = [];
for await (const one of client.files.list({ limit: 1 })) listed.push(one.id);
const bytes = await (await client.files.content(file.id)).text();
const deleted = await client.files.delete(file.id);

console.log(
  JSON.stringify({
    whole,
    chunks,
    final: final.choices[0].message.content,
    parsed: structured.choices[0].message.parsed,
    errors,
    models,
    listed,
    bytes,
    deleted,
    file,
  }),
);
