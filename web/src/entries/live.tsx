import { Api } from "../api/client";
import { LiveController } from "../live/live-controller";
import { OperatorCode } from "../live/operator-code";
import { LivePage } from "../pages/live/live-page";
import { showPage } from "../ui/page";

const code = new OperatorCode();
const live = new LiveController(new Api(() => code.get() || null), code);
live.start();
showPage(<LivePage live={live} />);
