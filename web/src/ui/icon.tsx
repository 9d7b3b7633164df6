/** Line icons on a 24-pixel grid, drawn for these pages. */
const PATHS = {
  mask: "M12 3c4.600 0 8 2.300 8 6.500C20 16 16.500 21 12 21S4 16 4 9.500C4 5.300 7.400 3 12 3Zm-5 7.500c1-1 3-1 4 0M13 10.500c1-1 3-1 4 0M9.500 16c1.500 1.200 3.500 1.200 5 0",
  photo: "M4 5.500h16v13H4zM4 16l4.500-4.500L12 15l3-3 5 5M15.500 9h.01",
  mosaic: "M4 4h16v16H4zM4 9.300h16M4 14.700h16M9.300 4v16M14.700 4v16",
  label: "M4 4h8l8 8-8 8-8-8zM8 8h.01",
  eye: "M2.500 12S6 5.500 12 5.500 21.500 12 21.500 12 18 18.500 12 18.500 2.500 12 2.500 12ZM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6Z",
  copy: "M9 9h11v11H9zM15 9V4H4v11h5",
  share: "M12 15V3.500M7.500 8 12 3.500 16.500 8M5 13v7h14v-7",
  sound: "M4 9.500v5h3.500L12 18.500v-13L7.500 9.500zM15.500 9a4 4 0 0 1 0 6M18 6.500a7.500 7.500 0 0 1 0 11",
  muted: "M4 9.500v5h3.500L12 18.500v-13L7.500 9.500zM16 10l4.500 4.500M20.500 10 16 14.500",
  fullscreen: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  info: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM12 11v5.500M12 7.500h.01",
  camera: "M3 7h12v10H3zM15 10.500l6-3v9l-6-3",
  alert: "M12 4 2.800 20h18.400zM12 10v4.500M12 17.300h.01",
  more: "M6 9.500 12 15.500 18 9.500",
  close: "M6 6 18 18M18 6 6 18",
  microphone:
    "M12 3.500a2.800 2.800 0 0 0-2.800 2.800v5a2.800 2.800 0 0 0 5.600 0v-5A2.800 2.800 0 0 0 12 3.500ZM6 11a6 6 0 0 0 12 0M12 17v3.500",
  microphoneOff:
    "M12 3.500a2.800 2.800 0 0 0-2.800 2.800v5a2.800 2.800 0 0 0 5.600 0v-5A2.800 2.800 0 0 0 12 3.500ZM6 11a6 6 0 0 0 12 0M12 17v3.500M4 4 20 20",
  qr: "M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h2.500v2.500H14zM17.500 17.500H20V20h-2.500M17.500 14H20",
  download: "M12 4v11.500M7.500 11 12 15.500 16.500 11M5 20h14",
  check: "M4.500 12.500 10 18 19.500 7",
} as const;

export type IconName = keyof typeof PATHS;

/** An icon. It is decoration: whatever it stands beside must say the same in words. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg viewBox="0 0 24 24" className="icon" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
