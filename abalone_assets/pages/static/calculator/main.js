// The Age Calculator.

import { watchAnimal } from "./animal.js";
import { watchAnimals } from "./animals.js";
import { follow } from "./model.js";

watchAnimal();
watchAnimals();
follow();
