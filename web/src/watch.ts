import { Api } from "./api/client";
import { WatchPage } from "./pages/watch";
import { Language } from "./words/language";

const [, , broadcastId = ""] = location.pathname.split("/");
new WatchPage(new Api(), new Language(), decodeURIComponent(broadcastId)).mount(document.body);
