const LOOKS_PER_S = 20;
const QUIETEST_DB = -60;

/**
 * Tell how loud a stream is, twenty times a second, until the returned function is called.
 *
 * @param show Called with a level from 0, as quiet as a room, to 1, as loud as can be. It draws by itself: a state that
 *   changes so often would have the page computed anew each time.
 */
export function meterLevel(stream: MediaStream, show: (level: number) => void): () => void {
  const [track] = stream.getAudioTracks();
  if (track === undefined || typeof AudioContext === "undefined") return () => undefined;
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 2048; // 43 ms at 48 kHz: each look hears nearly all since the last one
  context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  void context.resume().catch(() => undefined);
  const wave = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(wave);
    show(levelOf(wave));
  }, 1000 / LOOKS_PER_S);
  return () => {
    clearInterval(timer);
    void context.close();
  };
}

/** Return the level of samples from -1 to 1: their RMS on a scale of decibels, 0 for -60 dB and 1 for 0 dB. */
export function levelOf(wave: Float32Array): number {
  let sum = 0;
  for (const sample of wave) sum += sample * sample;
  const decibels = 10 * Math.log10(Math.max(sum / wave.length, 1e-12));
  return Math.min(1, Math.max(0, 1 - decibels / QUIETEST_DB));
}
