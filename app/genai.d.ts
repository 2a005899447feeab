/** The part of the SDK that {@link file://./gemini.ts} uses: the service starts, and is checked, without the package. */
declare module '@google/genai' {
  export class GoogleGenAI {
    constructor(options: { enterprise: true; project: string; location: string });
    readonly models: {
      generateContent(request: {
        model: string;
        contents: string;
        config: { systemInstruction: string; maxOutputTokens: number; abortSignal: AbortSignal };
      }): Promise<{ readonly text: string | undefined }>;
    };
  }
}
