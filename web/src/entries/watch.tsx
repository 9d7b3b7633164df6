import { Api } from "../api/client";
import { watched } from "../api/place";
import { WatchPage } from "../pages/watch/watch-page";
import { showPage } from "../ui/page";
import { WatchController } from "../watch/watch-controller";

const controller = new WatchController(new Api(), watched(location.pathname));
controller.run();
showPage(<WatchPage controller={controller} />);
