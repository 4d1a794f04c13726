import unittest

from app.prices import FREE_SHIPPING_FROM, PRICES, SHIPPING, total


class Total(unittest.TestCase):
    def test_an_empty_basket_costs_nothing(self):
        self.assertEqual(total({}), 0)

    def test_a_small_basket_pays_shipping(self):
        self.assertEqual(total({"coffee": 2, "mug": 1}), 2 * 690 + 1450 + 490)

    def test_a_large_basket_is_sent_free(self):
        self.assertGreaterEqual(PRICES["kettle"], FREE_SHIPPING_FROM)
        self.assertEqual(total({"kettle": 1}), 5900)

    def test_half_a_cent_of_a_discount_goes_to_the_customer(self):
        self.assertEqual(total({"mug": 1}, discount_percent=5), 1450 - 73 + SHIPPING)

    def test_shipping_is_counted_on_the_discounted_price(self):
        self.assertEqual(total({"kettle": 1}, discount_percent=50), 2950 + SHIPPING)

    def test_what_makes_no_sense_is_refused(self):
        for basket, discount, error in [
            ({"mug": 0}, 0, ValueError),
            ({"mug": 1}, 101, ValueError),
            ({"tea": 1}, 0, KeyError),
        ]:
            with self.subTest(basket=basket, discount=discount), self.assertRaises(error):
                total(basket, discount)


if __name__ == "__main__":
    unittest.main()
