import { Api } from "./api/client";
import { watched } from "./api/place";
import { WatchPage } from "./pages/watch";
import { Language } from "./words/language";

new WatchPage(new Api(), new Language(), watched(location.pathname)).mount(document.body);
