import type { Generate } from './guide.ts';

export interface GeminiOptions {
  readonly project: string;
  /** `global`, or a region of Vertex AI. */
  readonly location: string;
  readonly model: string;
}

/** Bounds what one answer can cost; models that think first spend a part of it on that. */
const MAX_OUTPUT_TOKENS = 2_000;

/**
 * Gemini on Vertex AI, with the credentials of whatever the service runs as. The SDK is loaded by the first request: it
 * takes 0.2 s and some 30 MB, and an image without it serves everything else.
 */
export function gemini({ project, location, model }: GeminiOptions): Generate {
  return async ({ instruction, request }, signal) => {
    const { GoogleGenAI } = await import('@google/genai');
    const client = new GoogleGenAI({ enterprise: true, project, location });
    const { text } = await client.models.generateContent({
      model,
      contents: request,
      config: { systemInstruction: instruction, maxOutputTokens: MAX_OUTPUT_TOKENS, abortSignal: signal },
    });
    if (!text) throw new Error(`${model} answered without text`);
    return text.trim();
  };
}
