import { Api } from "../api/client";
import { HomePage } from "../pages/home/home-page";
import { showPage } from "../ui/page";

showPage(<HomePage api={new Api()} />);
