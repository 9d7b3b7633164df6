import { Api } from "./api/client";
import { HomePage } from "./pages/home";
import { Language } from "./words/language";

new HomePage(new Api(), new Language()).mount(document.body);
